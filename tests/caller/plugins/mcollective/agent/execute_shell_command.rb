# systemu, which MCollective runs commands with, hands over the thread that watches a command as an attribute of its
# Process::Status; Ruby 3 froze that, and every command fails when it has ended (github.com/ahoward/systemu/issues/52).
# MCollective does no more than kill the thread; without that it ends with the agent's own.
class Process::Status
  def thread
    Thread.new {}
  end
end

module MCollective
  module Agent
    # What Fuel's agent of this name does: run cmd in cwd, answer with what it wrote and how it ended.
    class Execute_shell_command < RPC::Agent
      # The DDL gives it an hour, as Fuel's; a test has none.
      def startup_hook
        @timeout = Integer(config.pluginconf.fetch("execute_shell_command.timeout", timeout))
      end

      action "execute" do
        reply[:exit_code] = run(request[:cmd], :stdout => :stdout, :stderr => :stderr, :cwd => request[:cwd])
      end
    end
  end
end
