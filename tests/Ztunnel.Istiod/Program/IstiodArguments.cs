using System.Net;

namespace Ztunnel.Istiod.Program;

/// <summary>The command line of the stand-in.</summary>
/// <param name="MeshFile">The local mesh file (control-path 2.5) that is served, also while it changes.</param>
/// <param name="Folder">Where roots and tokens are written.</param>
/// <param name="Listen">Address and port.</param>
/// <param name="Names">What the server's certificate is for.</param>
internal sealed record IstiodArguments(string MeshFile, string Folder, IPEndPoint Listen, IReadOnlyList<string> Names)
{
    public const string Usage = "usage: Ztunnel.Istiod --mesh FILE --folder DIRECTORY [--listen IP:PORT] [--name HOST]...";

    /// <exception cref="ArgumentException">The message says what is wrong.</exception>
    public static IstiodArguments Parse(string[] arguments)
    {
        (string? mesh, string? folder, IPEndPoint? listen, List<string> names) = (null, null, new IPEndPoint(IPAddress.Loopback, 15012), ["istiod.istio-system.svc", "localhost"]);
        for (int i = 0; i < arguments.Length; i += 2)
        {
            string value = i + 1 < arguments.Length ? arguments[i + 1] : throw new ArgumentException($"{arguments[i]} has no value");
            switch (arguments[i])
            {
                case "--mesh": mesh = value; break;
                case "--folder": folder = value; break;
                case "--name": names.Add(value); break;
                case "--listen" when IPEndPoint.TryParse(value, out listen): break;
                case "--listen": throw new ArgumentException($"--listen {value}: expected IP:PORT");
                default: throw new ArgumentException($"unknown option {arguments[i]}");
            }
        }

        if (mesh is null || folder is null) throw new ArgumentException("--mesh and --folder are required");
        return new IstiodArguments(mesh, folder, listen, [.. names, listen.Address.ToString()]);
    }
}
