using System.CommandLine;
using System.Net;
using Ztunnel.Http.Explain;

namespace Ztunnel.Commands;

/// <summary><c>ztunnel explain</c>: asks the ztunnel that runs on this machine what would become of a connection. Exit code 0: it would be delivered; 2: it would not; 1: it could not be asked.</summary>
internal static class ExplainCommand
{
    private const int Failure = 1;
    private const int NotDelivered = 2;

    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(2);

    public static Command Create()
    {
        var source = new Option<string>("--source") { Description = "Workload that opens the connection: namespace/name, uid or address; default: the only one of this node", HelpName = "WORKLOAD" };
        var destination = new Option<string>("--destination") { Description = "address:port, hostname:port of a service, or namespace/name:port of a workload", HelpName = "HOST:PORT", Required = true };
        var asJson = new Option<bool>("--json") { Description = "Answer as JSON" };
        var watch = new Option<bool>("--watch") { Description = "Ask again every two seconds and print what changes, until interrupted" };
        var admin = new Option<Uri>("--admin")
        {
            Description = "Admin port of the running ztunnel",
            HelpName = "URL",
            DefaultValueFactory = static _ => new Uri("http://localhost:15000"),
            CustomParser = static result =>
            {
                if (Uri.TryCreate(result.Tokens[0].Value, UriKind.Absolute, out Uri? address) && address.Scheme == Uri.UriSchemeHttp)
                    return address;
                result.AddError($"--admin: expected an address like http://localhost:15000, found \"{result.Tokens[0].Value}\"");
                return null;
            },
        };
        var command = new Command("explain", "Explain what would become of a connection, and why, without traffic") { source, destination, asJson, watch, admin };
        command.SetAction((parsed, cancellation) =>
        {
            string query = $"source={Uri.EscapeDataString(parsed.GetValue(source) ?? "")}&destination={Uri.EscapeDataString(parsed.GetRequiredValue(destination))}&format={(parsed.GetValue(asJson) ? "json" : "text")}";
            var question = new Uri(parsed.GetRequiredValue(admin), $"debug/explain?{query}");
            return AskAsync(question, parsed.GetValue(watch), parsed.InvocationConfiguration, cancellation);
        });
        return command;
    }

    private static async Task<int> AskAsync(Uri question, bool watch, InvocationConfiguration console, CancellationToken cancellation)
    {
        using var client = new HttpClient { Timeout = AnswerLimit };
        string? shown = null;
        while (true)
        {
            (int code, string text) = await AskOnceAsync(client, question, cancellation).ConfigureAwait(false);
            if (code == Failure)
            {
                await console.Error.WriteLineAsync($"Error: {text.TrimEnd()}").ConfigureAwait(false);
                return Failure;
            }

            if (text != shown)
                await console.Output.WriteAsync(shown is null ? text : "\n" + text).ConfigureAwait(false);
            shown = text;
            if (!watch)
                return code;
            try
            {
                await Task.Delay(WatchInterval, cancellation).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                return code;
            }
        }
    }

    private static async Task<(int Code, string Text)> AskOnceAsync(HttpClient client, Uri question, CancellationToken cancellation)
    {
        try
        {
            using HttpResponseMessage answer = await client.GetAsync(question, cancellation).ConfigureAwait(false);
            string text = await answer.Content.ReadAsStringAsync(cancellation).ConfigureAwait(false);
            if (answer.StatusCode != HttpStatusCode.OK)
                return (Failure, text.Length > 0 ? text : $"{question} answered {(int)answer.StatusCode}");
            bool delivered = answer.Headers.TryGetValues(ExplainPage.DeliveredHeader, out IEnumerable<string>? values) && values.Contains("true");
            return (delivered ? 0 : NotDelivered, text);
        }
        catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException)
        {
            return (Failure, $"no answer from {question.GetLeftPart(UriPartial.Authority)}: {failure.Message}; is ztunnel running here? --admin names another address");
        }
    }
}
