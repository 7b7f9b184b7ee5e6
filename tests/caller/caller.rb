# A caller that does what Astute's shell hook does: runs a command by way of the agent, looks at nothing but the exit
# code, and repeats what failed or gave no answer in time. Standard input is the hook, standard output what came of it.
require "json"
require "mcollective"

include MCollective::RPC

hook = JSON.parse(STDIN.read)
options = MCollective::Util.default_options.merge(:config => ARGV.fetch(0))
client = rpcclient("execute_shell_command", :options => options, :exit_on_failure => false)
client.progress = false
client.timeout = hook.fetch("timeout")
client.discover(:nodes => [MCollective::Config.instance.identity]) # the agent has the same configuration

attempts = []
(hook.fetch("retries") + 1).times do
  answer = client.execute(:cmd => "cd / && #{hook.fetch('cmd')}", :cwd => "/").first
  if answer.nil? # Astute's MClientTimeout
    attempts << nil
    next
  end
  data = answer[:data]
  attempts << {
    :exit_code => data[:exit_code],
    :stdout => [data[:stdout]].pack("m0"),
    :stderr => [data[:stderr]].pack("m0"),
  }
  break if data[:exit_code] == 0
  sleep hook.fetch("interval")
end
puts JSON.dump(attempts)
