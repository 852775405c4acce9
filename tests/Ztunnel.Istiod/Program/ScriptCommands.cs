using System.Globalization;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Ztunnel.Istiod.Mesh;
using Ztunnel.Protos.Discovery;

namespace Ztunnel.Istiod.Program;

/// <summary>Changes the behaviour of a running stand-in by lines of text, such as <c>refuse-streams 14 not ready</c>. Whoever drives it from another process writes them to its standard input.</summary>
/// <param name="istiod">What is changed.</param>
/// <param name="recycleTokens">Makes every token void and writes new ones.</param>
public sealed class ScriptCommands(IstiodServer istiod, Action recycleTokens)
{
    private const string Known =
        "refuse-streams CODE TEXT, accept-streams, refuse-certificates CODE TEXT, accept-certificates, hold, release, delay MILLISECONDS, withhold address|authorization, withhold nothing, "
        + "duplicate on|off, reverse on|off, garbage on|off, disconnect, recycle, wrong-identity ID, right-identity, announce-root, rotate-root, retire-roots, recycle-tokens, status";

    /// <summary>Does what a line says; the result is for whoever wrote it.</summary>
    public string Run(string line)
    {
        string[] words = line.Split(' ', 2, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        string rest = words.Length > 1 ? words[1] : "";
        Script script = istiod.Script;
        switch (words.FirstOrDefault())
        {
            case "refuse-streams" when Refusal(rest) is { } refusal: script.RefuseStreams = refusal; break;
            case "accept-streams": script.RefuseStreams = null; break;
            case "refuse-certificates" when Refusal(rest) is { } refusal: script.RefuseCertificates = refusal; break;
            case "accept-certificates": script.RefuseCertificates = null; break;
            case "hold": script.Hold(); break;
            case "release": script.Release(); break;
            case "delay" when int.TryParse(rest, NumberStyles.None, CultureInfo.InvariantCulture, out int milliseconds): script.Delay = TimeSpan.FromMilliseconds(milliseconds); break;
            case "withhold" when rest == "address": script.WithheldTypes.Add(MeshResources.AddressUrl); break;
            case "withhold" when rest == "authorization": script.WithheldTypes.Add(MeshResources.AuthorizationUrl); break;
            case "withhold" when rest == "nothing": script.WithheldTypes.Clear(); break;
            case "duplicate" when rest is "on" or "off": script.Duplicate = rest == "on"; break;
            case "reverse" when rest is "on" or "off": script.Reverse = rest == "on"; break;
            case "garbage" when rest is "on" or "off": script.Tamper = rest == "on" ? AddGarbage : null; break;
            case "disconnect": istiod.Disconnect(); break;
            case "recycle": istiod.Recycle(); break;
            case "wrong-identity" when rest.Length > 0: script.WrongIdentity = rest; break;
            case "right-identity": script.WrongIdentity = null; break;
            case "announce-root": istiod.Authority.AnnounceRoot(); break;
            case "rotate-root": istiod.Authority.RotateRoot(); break;
            case "retire-roots": istiod.Authority.RetireOldRoots(); break;
            case "recycle-tokens": recycleTokens(); break;
            case "status": return $"status: {istiod.OpenStreams} streams, {istiod.Authority.Issued} certificates signed";
            default: return $"error: '{line}' is none of: {Known}";
        }

        return $"done: {line}";
    }

    /// <summary>A resource whose bytes are no message of its type, beside the good ones.</summary>
    public static DeltaDiscoveryResponse AddGarbage(DeltaDiscoveryResponse response)
    {
        // Field 1, length 127, and then nothing.
        response.Resources.Add(new Resource { Name = "garbage", Version = "1", Resource_ = new Any { TypeUrl = response.TypeUrl, Value = ByteString.CopyFrom(0x0a, 0x7f) } });
        return response;
    }

    private static Refusal? Refusal(string text)
    {
        string[] parts = text.Split(' ', 2);
        return int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out int code) ? new Refusal(code, parts.Length > 1 ? parts[1] : "refused by the script") : null;
    }
}
