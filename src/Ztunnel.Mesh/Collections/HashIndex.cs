using System.Diagnostics;

namespace Ztunnel.Mesh.Collections;

/// <summary>A persistent multimap from hash to item: the immutable index that snapshots are made of.</summary>
/// <remarks>
/// Invariants: the number of buckets is a power of two; bucket <c>h mod n</c> holds every entry of hash h, in the order of insertion; a bucket without entries is
/// null. Keys are not stored: an item knows its own, and the caller compares it. So several items may share a key (two pods with one address), and one index
/// costs about 22 bytes an item. Buckets hold 4 to 8 entries and are copied on write; they sit in chunks of 256, copied at most once by a
/// <see cref="Builder"/>, so that a change of k items costs O(k) and readers take no lock. Resizing copies entries only, not items, and is amortized.
/// </remarks>
internal sealed class HashIndex<T> where T : class
{
    private const int ChunkBits = 8;
    private const int ChunkBuckets = 1 << ChunkBits;
    private const int MaxLoad = 8;   // entries for each bucket on average; what a change copies, and the collector then has to move, doubles with it. Twice as many would save 4 bytes an item

    public static readonly HashIndex<T> Empty = new([new Entry[ChunkBuckets][]], ChunkBuckets, 0);

    private readonly Entry[]?[][] _chunks;
    private readonly int _buckets;

    private HashIndex(Entry[]?[][] chunks, int buckets, int count)
    {
        _chunks = chunks;
        _buckets = buckets;
        Count = count;
    }

    public int Count { get; }

    /// <summary>The items that may have the key: those with its hash, oldest first.</summary>
    public Matches Find(int hash)
    {
        int bucket = hash & (_buckets - 1);
        return new Matches(_chunks[bucket >> ChunkBits][bucket & (ChunkBuckets - 1)], hash);
    }

    public IEnumerable<T> Items
    {
        get
        {
            foreach (Entry[]?[] chunk in _chunks)
            {
                foreach (Entry[]? bucket in chunk)
                {
                    if (bucket is null) continue;
                    foreach (Entry entry in bucket) yield return entry.Item;
                }
            }
        }
    }

    public Builder ToBuilder() => new(this);

    private readonly record struct Entry(int Hash, T Item);

    /// <summary>Enumerates the entries of one bucket that have one hash.</summary>
    public ref struct Matches
    {
        private readonly ReadOnlySpan<Entry> _bucket;
        private readonly int _hash;
        private int _next;

        internal Matches(object? bucket, int hash)
        {
            _bucket = (Entry[]?)bucket;
            _hash = hash;
        }

        public T Current { get; private set; } = null!;

        public readonly Matches GetEnumerator() => this;

        public bool MoveNext()
        {
            while (_next < _bucket.Length)
            {
                Entry entry = _bucket[_next++];
                if (entry.Hash != _hash) continue;
                Current = entry.Item;
                return true;
            }
            return false;
        }
    }

    /// <summary>Collects changes to an index; the index itself never changes.</summary>
    public sealed class Builder
    {
        private Entry[]?[][] _chunks;
        private bool[] _owned;   // chunks copied by this builder, which it may write to
        private int _buckets;

        internal Builder(HashIndex<T> source)
        {
            _chunks = (Entry[]?[][])source._chunks.Clone();
            _owned = new bool[_chunks.Length];
            _buckets = source._buckets;
            Count = source.Count;
        }

        public int Count { get; private set; }

        public Matches Find(int hash)
        {
            int bucket = hash & (_buckets - 1);
            return new Matches(_chunks[bucket >> ChunkBits][bucket & (ChunkBuckets - 1)], hash);
        }

        /// <summary>Appends an item; an equal one stays beside it.</summary>
        public void Add(int hash, T item)
        {
            if (Count == _buckets * MaxLoad) Resize(_buckets * 2);
            ref Entry[]? bucket = ref BucketForWrite(hash);
            bucket = bucket is null ? [new Entry(hash, item)] : [.. bucket, new Entry(hash, item)];
            Count++;
        }

        /// <summary>Removes this very item, which must be there.</summary>
        public void Remove(int hash, T item)
        {
            ref Entry[]? bucket = ref BucketForWrite(hash);
            int at = IndexOf(bucket, hash, item);
            Debug.Assert(at >= 0, "the item to remove is not in the index");
            if (at < 0) return;

            bucket = bucket!.Length == 1 ? null : [.. bucket.AsSpan(0, at), .. bucket.AsSpan(at + 1)];
            Count--;
            if (_buckets > ChunkBuckets && Count < _buckets * MaxLoad / 8) Resize(_buckets / 2);
        }

        /// <summary>Puts an item behind all others of its hash and removes this very other one, which must be there. Where no other has the hash, order means nothing and the place is kept: one copy instead of two.</summary>
        public void Renew(int hash, T item, T with)
        {
            Entry[]? bucket = BucketForWrite(hash);
            int same = 0;
            for (int i = 0; bucket is not null && i < bucket.Length; i++)
            {
                if (bucket[i].Hash == hash) same++;
            }
            if (same == 1)
            {
                Replace(hash, item, with);
                return;
            }
            Remove(hash, item);
            Add(hash, with);
        }

        /// <summary>Puts an item in the place of this very other one, which must be there.</summary>
        public void Replace(int hash, T item, T with)
        {
            ref Entry[]? bucket = ref BucketForWrite(hash);
            int at = IndexOf(bucket, hash, item);
            Debug.Assert(at >= 0, "the item to replace is not in the index");
            if (at < 0) return;

            bucket = (Entry[])bucket!.Clone();
            bucket[at] = new Entry(hash, with);
        }

        /// <summary>The index as changed. The builder must not be used afterwards.</summary>
        public HashIndex<T> Build() => new(_chunks, _buckets, Count);

        private static int IndexOf(Entry[]? bucket, int hash, T item)
        {
            for (int i = 0; bucket is not null && i < bucket.Length; i++)
            {
                if (bucket[i].Hash == hash && ReferenceEquals(bucket[i].Item, item)) return i;
            }
            return -1;
        }

        private ref Entry[]? BucketForWrite(int hash)
        {
            int bucket = hash & (_buckets - 1);
            int chunk = bucket >> ChunkBits;
            if (!_owned[chunk])
            {
                _chunks[chunk] = (Entry[]?[])_chunks[chunk].Clone();
                _owned[chunk] = true;
            }
            return ref _chunks[chunk][bucket & (ChunkBuckets - 1)];
        }

        private void Resize(int buckets)
        {
            var lists = new List<Entry>?[buckets];
            foreach (Entry[]?[] chunk in _chunks)
            {
                foreach (Entry[]? old in chunk)
                {
                    if (old is null) continue;
                    // In order of insertion: entries of one hash come from one bucket when it grows, and keep their order when two merge.
                    foreach (Entry entry in old) (lists[entry.Hash & (buckets - 1)] ??= []).Add(entry);
                }
            }
            _chunks = new Entry[]?[buckets >> ChunkBits][];
            for (int chunk = 0; chunk < _chunks.Length; chunk++)
            {
                _chunks[chunk] = new Entry[]?[ChunkBuckets];
                for (int i = 0; i < ChunkBuckets; i++) _chunks[chunk][i] = lists[(chunk << ChunkBits) + i]?.ToArray();
            }
            _owned = new bool[_chunks.Length];
            Array.Fill(_owned, true);
            _buckets = buckets;
        }
    }
}
