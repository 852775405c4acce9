namespace Ztunnel.Http2.Tests.Support;

/// <summary>Tests against another program's HTTP/2 run where it is installed, and say why where they do not.</summary>
internal sealed class PeerFactAttribute : FactAttribute
{
    public PeerFactAttribute(params string[] files)
    {
        if (files.FirstOrDefault(file => !File.Exists(file)) is { } missing)
            Skip = $"{missing} is not installed";
    }
}

internal sealed class PeerTheoryAttribute : TheoryAttribute
{
    public PeerTheoryAttribute(params string[] files)
    {
        if (files.FirstOrDefault(file => !File.Exists(file)) is { } missing)
            Skip = $"{missing} is not installed";
    }
}

internal static class PeerPrograms
{
    /// <summary>Debian package python3-h2, and the interpreter it is installed for.</summary>
    public const string Python = "/usr/bin/python3";
    public const string PythonH2 = "/usr/lib/python3/dist-packages/h2/connection.py";

    /// <summary>Debian packages nghttp2-client and nghttp2-proxy.</summary>
    public const string Nghttp = "/usr/bin/nghttp";
    public const string H2Load = "/usr/bin/h2load";
    public const string NghttpX = "/usr/sbin/nghttpx";

    public static string Script(string name) => Path.Combine(AppContext.BaseDirectory, "Peers", name);
}
