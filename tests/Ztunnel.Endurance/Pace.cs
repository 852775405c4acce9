namespace Ztunnel.Endurance;

/// <summary>Time that passes between two steps of the load: part of what is simulated, never a wait for something to have happened.</summary>
internal static class Pace
{
    private static readonly TimeSpan TimerStep = TimeSpan.FromMilliseconds(1);

    /// <summary>Returns early when cancelled, without an exception.</summary>
    public static async Task PassAsync(TimeSpan time, CancellationToken cancellation = default)
    {
        // A timer takes no shorter time, and the rest of a period may well be shorter.
        if (time < TimerStep)
            return;
        using var timer = new PeriodicTimer(time);
        try
        {
            await timer.WaitForNextTickAsync(cancellation);
        }
        catch (OperationCanceledException)
        {
            // Somebody wants to go on sooner.
        }
    }
}
