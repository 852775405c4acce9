namespace Ztunnel.Linux.Loop;

/// <summary>Something a loop runs again: it stopped because of its quantum, or it has output to flush when the turn ends. Queued at most once at a time.</summary>
public interface ILoopItem
{
    /// <summary>Kept by the item, set and cleared by the loop. An item uses one of the two queues, not both at once.</summary>
    public bool IsQueued { get; set; }

    public void Run();
}
