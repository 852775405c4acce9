using Ztunnel.Mesh.Collections;

namespace Ztunnel.Mesh.Tests.State;

/// <summary>The persistent index behaves as a dictionary of lists that is copied before every change.</summary>
public sealed class HashIndexTests
{
    [Theory]
    [InlineData(1, int.MaxValue)]
    [InlineData(2, 50)]        // few hashes: long lists of one hash
    public void Builder_RandomChanges_AgreesWithAModelAndLeavesSnapshotsAlone(int seed, int hashes)
    {
        var random = new Random(seed);
        HashIndex<Item> index = HashIndex<Item>.Empty;
        var model = new List<Item>();
        var snapshots = new List<(HashIndex<Item> Index, Item[] Items)>();
        for (int round = 0; round < 60; round++)
        {
            HashIndex<Item>.Builder builder = index.ToBuilder();
            bool growing = round < 40;
            for (int i = 0; i < 400; i++)
            {
                if (model.Count == 0 || random.Next(10) < (growing ? 7 : 1))
                {
                    var added = new Item(random.Next(hashes));
                    builder.Add(added.Hash, added);
                    model.Add(added);
                }
                else if (random.Next(4) == 0)
                {
                    int at = random.Next(model.Count);
                    var with = new Item(model[at].Hash);
                    builder.Replace(model[at].Hash, model[at], with);
                    model[at] = with;
                }
                else
                {
                    int at = random.Next(model.Count);
                    builder.Remove(model[at].Hash, model[at]);
                    model.RemoveAt(at);
                }
            }
            index = builder.Build();
            snapshots.Add((index, [.. model]));
        }

        foreach ((HashIndex<Item> snapshot, Item[] items) in snapshots)
        {
            Assert.Equal(items.Length, snapshot.Count);
            Assert.Equal(items.ToHashSet(), snapshot.Items.ToHashSet());
            foreach (IGrouping<int, Item> group in items.GroupBy(static item => item.Hash))
            {
                var found = new List<Item>();
                foreach (Item item in snapshot.Find(group.Key)) found.Add(item);
                Assert.Equal(group, found);   // in order of insertion
            }
        }
    }

    [Fact]
    public void Find_Nothing_IsEmpty()
    {
        foreach (Item item in HashIndex<Item>.Empty.Find(5)) Assert.Fail($"found {item}");
        Assert.Empty(HashIndex<Item>.Empty.Items);
    }

    [Fact]
    public void Interner_KeepsWhatIsUsedAndForgetsTheRest()
    {
        var interner = new Interner<string>(capacity: 10);
        string hot = interner.Intern(new string("hot".AsSpan()));
        string cold = interner.Intern(new string("cold".AsSpan()));
        for (int i = 0; i < 100; i++)
        {
            interner.Intern($"text {i}");
            Assert.Same(hot, interner.Intern(new string("hot".AsSpan())));
        }

        Assert.NotSame(cold, interner.Intern(new string("cold".AsSpan())));
    }

    private sealed class Item(int hash)
    {
        public int Hash { get; } = hash;
    }
}
