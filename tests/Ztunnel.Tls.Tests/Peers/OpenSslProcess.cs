using System.Diagnostics;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Ztunnel.Testing;

namespace Ztunnel.Tls.Tests.Peers;

/// <summary>The openssl program as a peer: s_client or s_server with a certificate, its terminal in our hands.</summary>
internal sealed class OpenSslProcess : IDisposable
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    private readonly DirectoryInfo _files = Directory.CreateTempSubdirectory("ztunnel-tls-");
    private readonly StringBuilder _output = new();
    private readonly SemaphoreSlim _more = new(0);
    private readonly Process _process;

    private OpenSslProcess(string command, IssuedCertificate? certificate, X509Certificate2 root, string[] arguments)
    {
        List<string> all = [command, "-msg", "-CAfile", Write("root.pem", root.ExportCertificatePem())];
        if (certificate is not null)
        {
            all.AddRange(["-cert", Write("leaf.pem", certificate.Leaf.ExportCertificatePem()), "-key", Write("key.pem", certificate.KeyPem)]);
            if (certificate.Intermediates.Length > 0) all.AddRange(["-cert_chain", Write("chain.pem", string.Join('\n', certificate.Intermediates.Select(one => one.ExportCertificatePem())))]);
        }

        all.AddRange(arguments);
        var start = new ProcessStartInfo("openssl", all) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        _process = Process.Start(start)!;
        _process.OutputDataReceived += (_, line) => Take(line.Data);
        _process.ErrorDataReceived += (_, line) => Take(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    internal string Output
    {
        get
        {
            lock (_output) return _output.ToString();
        }
    }

    internal static OpenSslProcess Client(int port, IssuedCertificate? certificate, X509Certificate2 root, params string[] arguments) =>
        new("s_client", certificate, root, ["-connect", $"127.0.0.1:{port}", .. arguments]);

    /// <summary>A server on a port that the system chooses; wait for it with <see cref="PortAsync"/>.</summary>
    internal static OpenSslProcess Server(IssuedCertificate certificate, X509Certificate2 root, params string[] arguments) =>
        new("s_server", certificate, root, ["-accept", "127.0.0.1:0", "-naccept", "1", .. arguments]);

    internal async Task<int> PortAsync()
    {
        string line = await LineAsync("ACCEPT 127.0.0.1:");
        return int.Parse(line.AsSpan(line.LastIndexOf(':') + 1), System.Globalization.CultureInfo.InvariantCulture);
    }

    /// <summary>Types a line; "K" and "k" alone are KeyUpdates (with and without a request), "Q" ends.</summary>
    internal void Type(string line)
    {
        _process.StandardInput.Write(line + "\n");
        _process.StandardInput.Flush();
    }

    /// <summary>The first line that holds the text, as soon as there is one.</summary>
    internal async Task<string> LineAsync(string text)
    {
        long deadline = Stopwatch.GetTimestamp();
        while (true)
        {
            string? line = Output.Split('\n').FirstOrDefault(line => line.Contains(text, StringComparison.Ordinal));
            if (line is not null) return line;
            if (Stopwatch.GetElapsedTime(deadline) > Timeout || !await _more.WaitAsync(Timeout)) Assert.Fail($"openssl did not print '{text}':\n{Output}");
        }
    }

    internal Task ExitAsync() => _process.WaitForExitAsync().WaitAsync(Timeout);

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill();
        _process.WaitForExit();
        _process.Dispose();
        _files.Delete(recursive: true);
        _more.Dispose();
    }

    private string Write(string name, string text)
    {
        string path = Path.Combine(_files.FullName, name);
        File.WriteAllText(path, text);
        return path;
    }

    private void Take(string? line)
    {
        lock (_output) _output.Append(line).Append('\n');
        _more.Release();
    }
}
