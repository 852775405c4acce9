using System.CommandLine;
using Ztunnel.InPod.Redirection;

namespace Ztunnel.Commands;

/// <summary>`ztunnel redirect install|remove|print|verify`: the redirection rules of one network namespace, for machines whose node agent does not install them.</summary>
public static class RedirectCommand
{
    private const int Failure = 1;
    private const int NotInPlace = 2;

    private static readonly Option<string> NetNs = new("--netns") { Description = "File of the pod's network namespace: /run/netns/NAME or /proc/PID/ns/net", Required = true, HelpName = "PATH" };

    /// <summary>The command with its subcommands; hand it the arguments behind the program's name.</summary>
    public static Command Create() => new("redirect", "Redirect the traffic of a pod's network namespace through its proxy")
    {
        Subcommands = { CreateInstall(), CreateRemove(), CreatePrint(), CreateVerify() },
    };

    private static Command CreateInstall()
    {
        var rules = new RedirectionRuleOptions();
        var command = new Command("install", "Install the rules; installing again changes nothing") { NetNs };
        rules.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
            await ReportAsync(parsed, new PodRedirection(parsed.GetRequiredValue(NetNs)).InstallAsync(rules.Read(parsed), cancellation)));
        return command;
    }

    private static Command CreateRemove()
    {
        var command = new Command("remove", "Remove the rules, whichever options made them; nothing of others is touched") { NetNs };
        command.SetAction(async (parsed, cancellation) =>
            await ReportAsync(parsed, new PodRedirection(parsed.GetRequiredValue(NetNs)).RemoveAsync(cancellation)));
        return command;
    }

    private static Command CreatePrint()
    {
        var rules = new RedirectionRuleOptions();
        var command = new Command("print", "Print what install feeds to the tools; changes nothing");
        rules.AddTo(command);
        command.SetAction(parsed => parsed.InvocationConfiguration.Output.Write(PodRedirection.Print(rules.Read(parsed))));
        return command;
    }

    private static Command CreateVerify()
    {
        var rules = new RedirectionRuleOptions();
        var command = new Command("verify", "Say which rule is missing and what that breaks; exit code 2 when something is, changes nothing") { NetNs };
        rules.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            int problems = 0;
            int failed = await ReportAsync(parsed, VerifyAsync());
            return failed == 0 && problems > 0 ? NotInPlace : failed;

            async Task VerifyAsync()
            {
                foreach (string problem in await new PodRedirection(parsed.GetRequiredValue(NetNs)).FindProblemsAsync(rules.Read(parsed), cancellation))
                {
                    problems++;
                    await parsed.InvocationConfiguration.Output.WriteLineAsync(problem);
                }

                if (problems == 0)
                    await parsed.InvocationConfiguration.Output.WriteLineAsync("all rules and routes are in place");
            }
        });
        return command;
    }

    private static async Task<int> ReportAsync(ParseResult parsed, Task work)
    {
        try
        {
            await work;
            return 0;
        }
        catch (RedirectionException problem)
        {
            await parsed.InvocationConfiguration.Error.WriteLineAsync($"Error: {problem.Message}");
            return Failure;
        }
    }
}
