namespace Ztunnel.Linux.Loop;

/// <summary>A ring of items in the order they came. It holds each item at most once, so it is bounded by the number of living items.</summary>
internal sealed class LoopItemQueue
{
#if DEBUG
    private const int FirstCapacity = 2; // so that growing happens in tests
#else
    private const int FirstCapacity = 64;
#endif

    private ILoopItem?[] _items = new ILoopItem?[FirstCapacity];
    private int _head;

    public int Count { get; private set; }

    public void Enqueue(ILoopItem item)
    {
        if (item.IsQueued)
        {
            return;
        }

        item.IsQueued = true;
        if (Count == _items.Length)
        {
            Grow();
        }

        _items[(_head + Count) & (_items.Length - 1)] = item;
        Count++;
    }

    public ILoopItem Dequeue()
    {
        ILoopItem item = _items[_head]!;
        _items[_head] = null;
        _head = (_head + 1) & (_items.Length - 1);
        Count--;
        item.IsQueued = false;
        return item;
    }

    private void Grow()
    {
        var larger = new ILoopItem?[_items.Length * 2];
        for (int index = 0; index < Count; index++)
        {
            larger[index] = _items[(_head + index) & (_items.Length - 1)];
        }

        _items = larger;
        _head = 0;
    }
}
