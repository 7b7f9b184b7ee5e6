#!/usr/bin/perl
# Tries to get out of the tree, in ways that do no harm where they succeed, and says what came of each.
# "group: attempt: done", or the error in place of "done". PORT, SOCKET and OUT are put in by the test.
use strict;
use warnings;
no warnings "portable";
use Socket;

mkdir "/var/lib/probe";
open(my $out, ">", "OUT") or die;
select((select($out), $| = 1)[0]);
my $group = "";

sub said {
    my ($attempt, $well) = @_;
    printf $out "%s: %s: %s\n", $group, $attempt, $well ? "done" : "$!";
}

sub call {
    my ($attempt, @arguments) = @_;
    $! = 0;
    said($attempt, syscall(shift @arguments, @arguments) != -1);
}

sub opened { my ($mode, $path) = @_; $! = 0; said("open $path", open(my $file, $mode, $path)); }

sub apart {
    my ($body) = @_;
    my $child = fork;
    if (!$child) { $body->(); exit 0; }
    waitpid $child, 0;
}

# Numbers of x86_64; what they mean is in the name of each attempt.
my $zeros = "\0" x 256;
my $here = "/var/lib/probe";

$group = "devices";
for my $place ("$here/node", "/dev/node", "/dev/shm/node", "/run/node") {
    system("mknod -m 666 $place-disk b DISK; mknod -m 666 $place-mem c 1 1; mknod -m 666 $place-kmsg c 1 11");
    opened("<", "$place-$_") for qw(disk mem kmsg);
}
unlink glob "$here/node-* /dev/node-*";
opened("<", $_) for qw(/dev/kmsg /dev/mem /dev/loop-control /dev/kvm /dev/fuse /dev/net/tun /proc/kcore /proc/kmsg);

$group = "mounts";
call("mount a tmpfs", 165, "tmpfs", "/mnt", "tmpfs", 0, 0);
call("mount proc", 165, "proc", "/mnt", "proc", 0, 0);
call("make /sys writable", 165, "none", "/sys", "", 0x1020, 0);
call("make the tree's devices open", 165, "none", "/", "", 0x1020, 0);
call("unmount /proc", 166, "/proc", 2);
call("open a copy of the tree", 428, -100, "/", 1);
call("open a file system", 430, "tmpfs", 0);
call("take another root", 155, "/", "/mnt");
call("open a file by its handle", 304, -100, pack("IiQ", 8, 1, 2), 0);

$group = "chroot";
$! = 2;
said("find CANARY from where it is", -e "/CANARY");
apart(sub {
    mkdir "$here/jail";
    opendir(my $above, "/") or die;
    chroot "$here/jail" or die;
    chdir $above;
    chdir ".." for 1 .. 64;
    chroot ".";
    $! = 0;
    said("find CANARY", -e "CANARY");
    opened("<", "CANARY");
});

$group = "first process";
opened("+<", "/proc/1/mem");
opened("<", "/proc/1/exe");
my $mode = (stat "/proc/1/exe")[2];
said("change /proc/1/exe", defined $mode && chmod($mode & 07777, "/proc/1/exe"));
said("follow /proc/1/$_", defined readlink "/proc/1/$_") for qw(root cwd exe);
said("list /proc/1/map_files", listed("/proc/1/map_files"));
opened("<", "/proc/1/fd/$_") for 0 .. 2;
call("trace it", 101, 0x4206, 1, 0, 0);
opened("<", "/proc/1/ns/$_") for qw(mnt net pid user uts ipc cgroup);
said("see another", grep { !m{/(1|$$)$} && $_ ne "/proc/" . getppid() && !same($_) } glob "/proc/[0-9]*");
sub listed { opendir(my $directory, $_[0]) or return 0; return scalar grep !/^\./, readdir $directory; }
sub same { my ($process) = @_; return (readlink("$process/ns/pid") // "gone") eq (readlink("/proc/self/ns/pid") // "") || !-e $process; }

$group = "privileges";
my $now = pack "qq", time, 0;
call("load a module", 175, $zeros, 256, "");
call("load a module from a file", 313, 0, "", 0);
call("reach input and output ports", 173, 0x80, 1, 1);
call("reach all of them", 172, 3);
call("set the clock", 164, $now, 0);
call("set the clock another way", 227, 0, $now);
call("restart the machine", 169, 0xfee1dead, 672274793, 0, 0);    # only says what Ctrl-Alt-Del means
call("load another kernel", 246, 0, 0, 0, 0);
call("name the machine", 170, "probe", 5);
call("name its domain", 171, "probe", 5);
call("swap", 167, "$here/swap", 0);
call("read the kernel's log", 103, 10, 0, 0);
call("account processes", 163, 0);
call("set an attribute that overlays heed", 188, $here, "trusted.overlay.redirect", "x", 1, 0);
system("touch $here/fixed; chattr +i $here/fixed 2> /dev/null");
said("keep a file from being removed", !unlink "$here/fixed");
my ($capabilities) = map { /^CapEff:\s+(\S+)/ ? hex $1 : () } do { open my $f, "<", "/proc/self/status"; <$f> };
my ($first) = map { /^CapPrm:\s+(\S+)/ ? hex $1 : () } do { open my $f, "<", "/proc/1/status"; <$f> };
$! = 1;
said("have capability $_", $capabilities >> $_ & 1 || $first >> $_ & 1) for 2, 16, 17, 19, 21, 22, 24, 25;

$group = "namespaces";
for my $kind (["user", 0x10000000], ["mount", 0x20000], ["cgroup", 0x02000000], ["net", 0x40000000], ["pid", 0x20000000]) {
    apart(sub { call("enter a new $kind->[0]", 272, $kind->[1]) });
}
apart(sub { call("enter a new user and mount", 272, 0x10020000) });
for my $way (["clone", 56, 0x10000000 | 17, 0, 0, 0, 0], ["clone3", 435, pack("Q8", 0x10000000, 0, 0, 0, 17, 0, 0, 0), 64]) {
    my ($name, @arguments) = @$way;
    $! = 0;
    my $child = syscall(shift @arguments, @arguments);
    exit 0 if $child == 0;
    said("begin a user namespace by $name", $child > 0);
}

$group = "kernel";
opened("+<", $_) for qw(/proc/sysrq-trigger /proc/sys/kernel/core_pattern /proc/sys/kernel/hostname /proc/sys/kernel/sysrq
    /proc/sys/vm/drop_caches /proc/sys/kernel/modprobe /proc/sys/kernel/pid_max /proc/irq/default_smp_affinity
    /proc/mtrr /proc/pressure/cpu
    /sys/kernel/uevent_helper /sys/power/state /sys/kernel/mm/ksm/run /sys/class/net/lo/mtu /sys/module/loop/uevent
    /sys/fs/cgroup/release_agent /sys/fs/cgroup/cgroup.procs /sys/kernel/debug/sched /sys/firmware/efi/vars/new_var);
for my $path (glob "/proc/*") {
    next if $path =~ m{/proc/(\d+|self|thread-self)$} || -l $path || !-f $path || !((stat $path)[2] & 0222);
    opened("+<", $path);
}

$group = "network";
sub connected {
    my ($attempt, $family, $address) = @_;
    $! = 0;
    my $socket;
    my $socket;
    said($attempt, socket($socket, $family, SOCK_STREAM, 0) && connect($socket, $address));
}
connected("connect to the host", PF_INET, pack_sockaddr_in(PORT, inet_aton("127.0.0.1")));
connected("connect to the world", PF_INET, pack_sockaddr_in(53, inet_aton("192.0.2.1")));
connected("connect to an abstract socket", PF_UNIX, pack("S", 1) . "\0SOCKET");
connected("connect to the hypervisor", 40, pack("SSIIx4", 40, 0, 22, 2));

$group = "keys";
call("see the user's keys", 250, 6, -4, 0, 0);
call("see the session's keys", 250, 6, -3, 0, 0);
call("add a key", 248, "user", "probe", "x", 1, -4);
call("load a program into the kernel", 321, 0, pack("I7", 1, 4, 4, 1, 0, 0, 0) . $zeros, 72);

$group = "terminal";
opened("+<", "/dev/tty");
open(my $terminal, "+<", "/dev/ptmx") or die "no terminals: $!";
my $typed = "x";
$! = 0;
said("type into a terminal", ioctl($terminal, 0x5412, $typed));

$group = "share";
said("run before others", setpriority(0, 0, -20) && getpriority(0, 0) == -20);
call("run in real time", 144, 0, 1, pack("i", 99));
call("read the disk before others", 251, 1, 0, 1 << 13);
call("open more files than the host lets us", 302, 0, 7, pack("QQ", 1 << 30, 1 << 30), 0);
open(my $score, "+<", "/proc/self/oom_score_adj") or die;
said("be spared when memory runs out", <$score> != 1000);

$group = "score";
$! = 0;
said("be spared later", syswrite($score, "0\n"));

$group = "memory";
open(my $shared, "<", "/proc/sysvipc/shm") or die;
$! = 2;
said("see the host's shared memory", grep !/key/, <$shared>);

$group = "pool";
my ($package) = glob "/run/pool/*/* /run/pool/*";
die "there is no pool" unless defined $package;
said("link a package", link($package, "$here/package"));
said("change its mode", chmod 0777, $package);
opened(">", "/run/pool/new");
$! = 0;
said("remove a package", unlink $package);
