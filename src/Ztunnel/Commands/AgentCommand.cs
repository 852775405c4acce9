using System.CommandLine;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;
using Ztunnel.InPod.Agent;
using Ztunnel.InPod.Redirection;
using Ztunnel.InPod.Zds;
using Ztunnel.Lifetime;
using Ztunnel.Settings;
using Ztunnel.Telemetry.Logging;

namespace Ztunnel.Commands;

/// <summary><c>ztunnel agent</c>: the node agent of a machine without Kubernetes. Reads which pods there are, captures them and hands them to the node proxy over the same protocol as Istio's.</summary>
internal static class AgentCommand
{
    private const int Failure = 1;
    private static readonly TimeSpan LogFlushLimit = TimeSpan.FromSeconds(1);

    public static Command Create()
    {
        var pods = new Option<string>("--pods") { Description = "File with the list of pods (JSON), followed while it changes", Required = true, HelpName = "FILE" };
        var socket = new Option<string>("--socket") { Description = "Where node proxies connect: their INPOD_UDS", DefaultValueFactory = static _ => new ModeSettings().InpodSocket, HelpName = "PATH" };
        var rules = new RedirectionRuleOptions();
        var command = new Command("agent", "Capture the pods of a list and hand them to the node proxy") { pods, socket };
        rules.AddTo(command);
        command.SetAction((parsed, _) => RunAsync(parsed.GetRequiredValue(pods), Path.GetFullPath(parsed.GetRequiredValue(socket)), rules.Read(parsed), parsed.InvocationConfiguration.Error));
        return command;
    }

    private static async Task<int> RunAsync(string pods, string socket, RedirectionOptions rules, TextWriter complaints)
    {
        var sink = new LogSink(Console.OpenStandardOutput(), new LogSinkSettings(), TimeProvider.System);
        try
        {
            NodeAgent.Check(pods);
            using var loggers = new LogProvider(sink, new LogLevels(LogFilter.Default));
            using var shutdown = new Shutdown(loggers);
            ILogger log = loggers.CreateLogger("agent");
            await using ZdsListener listener = ZdsListener.Open(socket);
            await using var proxies = new ZdsServer(listener, TimeProvider.System, log);
            var agent = new NodeAgent(pods, rules, proxies, TimeProvider.System, log);
            using var stopping = new CancellationTokenSource();
            Task following = agent.RunAsync(stopping.Token);
            await Task.WhenAny(following, agent.Applied, shutdown.Requested).ConfigureAwait(false);
            Task serving = proxies.RunAsync(stopping.Token);
            // Neither is of use without the other: whoever fails takes it along, and is seen.
            await Task.WhenAny(following, serving, shutdown.Requested).ConfigureAwait(false);
            await stopping.CancelAsync().ConfigureAwait(false);
            await Task.WhenAll(following, serving).ConfigureAwait(false);
            return 0;
        }
        catch (Exception problem) when (problem is PodListException or IOException or ChannelClosedException)
        {
            // A socket that accepts no more closes the channel of its connections.
            await complaints.WriteLineAsync($"Error: {(problem is ChannelClosedException { InnerException: { } broken } ? broken : problem).Message}").ConfigureAwait(false);
            return Failure;
        }
        finally
        {
            await sink.StopAsync(LogFlushLimit).ConfigureAwait(false);
        }
    }
}
