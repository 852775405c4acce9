using System.CommandLine;
using System.CommandLine.Parsing;
using Ztunnel.Settings;

namespace Ztunnel.Commands;

/// <summary>
/// The command line (control-path 1.1): the first argument selects the command, <c>proxy</c> when there is none. What is wrong is told in one line each, before anything is opened.
/// </summary>
public static class CommandLine
{
    private const int Failure = 1;

    public static Task<int> RunAsync(string[] arguments)
    {
        RootCommand root = Build(arguments);
        if (arguments.Length > 0 && !arguments[0].StartsWith('-') && !root.Subcommands.Any(command => command.Name == arguments[0]))
        {
            Console.Error.WriteLine($"unknown command: {arguments[0]}");
            PrintHelp(root);
            return Task.FromResult(Failure);
        }

        ParseResult parsed = root.Parse(arguments);
        if (parsed.Errors.Count == 0)
            return parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
        foreach (ParseError error in parsed.Errors)
            Console.Error.WriteLine($"Error: {error.Message}");
        return Task.FromResult(Failure);
    }

    private static RootCommand Build(string[] arguments)
    {
        var root = new RootCommand("L4 node proxy of Istio's ambient mesh");
        // `version` is a command here; the library's option of that name would tell the assembly's version only.
        root.Options.Remove(root.Options.OfType<VersionOption>().Single());
        root.Subcommands.Add(Ignoring(new Command("proxy", "Start the ztunnel proxy"), (_, _) => ProxyCommand.RunAsync(arguments)));
        root.Subcommands.Add(Ignoring(new Command("version", "Print the version of ztunnel"), static (_, _) =>
        {
            Console.Out.WriteLine(Version());
            return Task.FromResult(0);
        }));
        root.Subcommands.Add(CreateHelp(root));
        root.Subcommands.Add(RedirectCommand.Create());
        root.Subcommands.Add(AgentCommand.Create());
        root.Subcommands.Add(ExplainCommand.Create());
        root.SetAction((_, _) => ProxyCommand.RunAsync(arguments));
        return root;
    }

    private static Command CreateHelp(RootCommand root)
    {
        Command help = Ignoring(new Command("help", "Print commands and version of ztunnel; `help settings`: every variable that is read"), (_, _) =>
        {
            PrintHelp(root);
            return Task.FromResult(0);
        });
        help.Subcommands.Add(Ignoring(new Command("settings", "Print every environment variable with its default and meaning, as Markdown"), static (_, _) =>
        {
            SettingCatalogue.Write(Console.Out);
            return Task.FromResult(0);
        }));
        return help;
    }

    // The chart runs `proxy ztunnel`; whatever follows these commands has never meant anything.
    private static Command Ignoring(Command command, Func<ParseResult, CancellationToken, Task<int>> action)
    {
        command.TreatUnmatchedTokensAsErrors = false;
        command.SetAction(action);
        return command;
    }

    private static void PrintHelp(RootCommand root)
    {
        Console.Out.WriteLine($"Istio Ztunnel ({Version()})");
        Console.Out.WriteLine("Commands:");
        foreach (Command command in root.Subcommands)
            Console.Out.WriteLine($"{(command.Name == "proxy" ? "proxy (default)" : command.Name),-15} - {command.Description}");
    }

    private static BuildInfo Version() => BuildInfo.Create(SettingsSource.FromProcess().Lookup("ISTIO_META_ISTIO_VERSION") ?? "unknown");
}
