using Ztunnel.Settings;

namespace Ztunnel.Commands;

/// <summary><c>ztunnel proxy</c>: reads the settings and runs the daemon.</summary>
internal static class ProxyCommand
{
    private const int Failure = 1;

    public static async Task<int> RunAsync(string[] arguments)
    {
        try
        {
            ZtunnelSettings settings = ZtunnelSettings.Read(SettingsSource.FromProcess(), string.Join(' ', arguments));
            return await Daemon.RunAsync(settings, Console.OpenStandardOutput(), TimeProvider.System).ConfigureAwait(false);
        }
        catch (SettingsException wrong)
        {
            foreach (string mistake in wrong.Mistakes)
                await Console.Error.WriteLineAsync($"Error: {mistake}").ConfigureAwait(false);
            return Failure;
        }
        catch (StartException failed)
        {
            await Console.Error.WriteLineAsync($"Error: {failed.Message}").ConfigureAwait(false);
            return Failure;
        }
    }
}
