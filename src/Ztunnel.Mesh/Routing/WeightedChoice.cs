using System.Diagnostics;

namespace Ztunnel.Mesh.Routing;

/// <summary>Draws an index with the probability of its weight, in constant time: Walker's alias method in whole numbers, so that it is exact.</summary>
/// <remarks>
/// Each of the n indexes gets a column of height W, the sum of the weights; index i needs n·w(i) of the n·W there is. Columns too low are filled up by one other
/// index (the alias). A draw takes a column and a height in it.
/// </remarks>
internal sealed class WeightedChoice
{
    private readonly int _count;
    private readonly ulong _height;
    private readonly ulong[]? _own;     // height up to which a column is its own index; null when all weights are equal
    private readonly int[]? _alias;

    public WeightedChoice(ReadOnlySpan<uint> weights)
    {
        Debug.Assert(!weights.IsEmpty && !weights.Contains(0u), "weights are positive");
        _count = weights.Length;
        if (!weights.ContainsAnyExcept(weights[0])) return;

        foreach (uint weight in weights) _height += weight;
        _own = new ulong[_count];
        _alias = new int[_count];
        var low = new Stack<int>();
        var high = new Stack<int>();
        for (int i = 0; i < _count; i++)
        {
            _own[i] = (ulong)weights[i] * (ulong)_count;   // below 2^64 up to 2^32 endpoints
            _alias[i] = i;
            (_own[i] < _height ? low : high).Push(i);
        }
        while (low.TryPop(out int poor))
        {
            int rich = high.Peek();   // what is missing below the average is present above it
            _alias[poor] = rich;
            _own[rich] -= _height - _own[poor];
            if (_own[rich] < _height) low.Push(high.Pop());
        }
    }

    public int Draw(IRandom random)
    {
        int column = (int)random.Next((ulong)_count);
        if (_own is null) return column;
        return random.Next(_height) < _own[column] ? column : _alias![column];
    }
}
