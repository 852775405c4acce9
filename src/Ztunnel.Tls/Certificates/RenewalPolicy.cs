using Ztunnel.Mesh.Routing;

namespace Ztunnel.Tls.Certificates;

/// <summary>When to ask the authority again. Pure: the numbers come from the settings, time and chance from the caller.</summary>
internal static class RenewalPolicy
{
    private const ulong Steps = 1 << 20;

    /// <summary>
    /// After an issue: at 50 % ± 10 % of what is left of its life, counted from now and not from notBefore, which authorities put back by minutes: with lives as short as that
    /// the time would always be past already.
    /// </summary>
    internal static DateTimeOffset AfterIssue(CertificateStoreSettings settings, DateTimeOffset now, DateTimeOffset notAfter)
    {
        TimeSpan wait = (notAfter - now) * Between(settings.Random, 0.4, 0.6);
        return now + (wait < settings.ShortestRenewal ? settings.ShortestRenewal : wait);
    }

    /// <summary>After a number of failures in a row: doubling delays up to the longest, ± 20 %.</summary>
    internal static TimeSpan Backoff(CertificateStoreSettings settings, int failures)
    {
        double doublings = Math.Pow(2, Math.Min(failures - 1, 30));
        double seconds = Math.Min(settings.FirstRetry.TotalSeconds * doublings, settings.LongestRetry.TotalSeconds);
        return TimeSpan.FromSeconds(seconds * Between(settings.Random, 0.8, 1.2));
    }

    private static double Between(IRandom random, double low, double high) => low + ((high - low) * (random.Next(Steps + 1) / (double)Steps));
}
