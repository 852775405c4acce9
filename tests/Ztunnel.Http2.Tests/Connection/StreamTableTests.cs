using Ztunnel.Http2.Connection;
using Ztunnel.Http2.Tests.Support;

namespace Ztunnel.Http2.Tests.Connection;

public sealed class StreamTableTests
{
    [Theory]
    [InlineData(1, 2)]
    [InlineData(2, 64)]    // identifiers that all share one home slot
    public void RandomAddsAndRemoves_AgreeWithADictionary(int seed, int step)
    {
        var random = new Random(seed);
        Http2Connection connection = RawPeer.OfServer().Connection;
        var table = new StreamTable();
        var model = new Dictionary<int, Http2Stream>();
        int next = 1;
        for (int i = 0; i < 20_000; i++)
        {
            if (model.Count < 200 && random.Next(model.Count < 100 ? 3 : 2) != 0)
            {
                var stream = new Http2Stream(connection, next, owner: null, sendWindow: 0, receiveWindow: 0);
                next += step;
                table.Add(stream);
                model.Add(stream.Id, stream);
            }
            else if (model.Count > 0)
            {
                Http2Stream victim = model.Values.ElementAt(random.Next(model.Count));
                Assert.True(table.Remove(victim));
                Assert.False(table.Remove(victim));
                model.Remove(victim.Id);
            }
            int id = 1 + (step * random.Next(next / step + 1));
            Assert.Same(model.GetValueOrDefault(id), table.Find(id));
            Assert.Equal(model.Count, table.Count);
        }
        Assert.All(model.Values, stream => Assert.Same(stream, table.Find(stream.Id)));
    }

    [Fact]
    public void ResetMemory_KeepsTheLastOnes()
    {
        var memory = new ResetMemory(limit: 40);
        for (int id = 1; id < 400; id += 2)
            memory.Add(id);

        Assert.All(Enumerable.Range(0, 40), i => Assert.True(memory.Contains(399 - (2 * i))));
        Assert.False(memory.Contains(399 - 80));
        Assert.False(memory.Contains(1));
    }
}
