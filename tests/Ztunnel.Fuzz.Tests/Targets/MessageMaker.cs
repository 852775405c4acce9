using System.Collections;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace Ztunnel.Fuzz.Tests.Targets;

/// <summary>Fills messages of the wire at random, by their descriptors: a field that is added to a .proto file is fuzzed from then on.</summary>
internal static class MessageMaker
{
    private const int DeepestMessage = 5;

    public static T Make<T>(FuzzInput input)
        where T : IMessage, new()
    {
        var message = new T();
        Fill(input, message, depth: 0);
        return message;
    }

    private static void Fill(FuzzInput input, IMessage message, int depth)
    {
        foreach (FieldDescriptor field in message.Descriptor.Fields.InDeclarationOrder())
        {
            if (depth > 0 && input.OneIn(2))
                continue;
            if (field.IsMap)
                FillMap(input, (IDictionary)field.Accessor.GetValue(message), field, depth);
            else if (field.IsRepeated)
                FillList(input, (IList)field.Accessor.GetValue(message), field, depth);
            else if (Value(input, field, depth) is { } value)
                field.Accessor.SetValue(message, value);
        }
    }

    private static void FillList(FuzzInput input, IList list, FieldDescriptor field, int depth)
    {
        for (int left = input.Below(4); left > 0; left--)
        {
            if (Value(input, field, depth) is { } value)
                list.Add(value);
        }
    }

    private static void FillMap(FuzzInput input, IDictionary map, FieldDescriptor field, int depth)
    {
        FieldDescriptor[] pair = [.. field.MessageType.Fields.InDeclarationOrder()];
        for (int left = input.Below(4); left > 0; left--)
        {
            if (Value(input, pair[0], depth) is { } key && Value(input, pair[1], depth) is { } value)
                map[key] = value;
        }
    }

    private static object? Value(FuzzInput input, FieldDescriptor field, int depth)
    {
        switch (field.FieldType)
        {
            case FieldType.String: return Whole(input.Text());
            case FieldType.Bytes: return ByteString.CopyFrom(input.OneIn(3) ? input.Bytes(20) : Address(input));
            case FieldType.Bool: return input.OneIn(2);
            case FieldType.Double: return (double)input.Number();
            case FieldType.Float: return (float)input.Number();
            case FieldType.Int64 or FieldType.SInt64 or FieldType.SFixed64: return (long)input.Number();
            case FieldType.UInt64 or FieldType.Fixed64: return (ulong)(uint)input.Number();
            case FieldType.UInt32 or FieldType.Fixed32: return (uint)input.Number();
            case FieldType.Int32 or FieldType.SInt32 or FieldType.SFixed32: return input.Number();
            case FieldType.Enum: return Enum.ToObject(field.EnumType.ClrType, input.OneIn(8) ? input.Number() : input.Below(field.EnumType.Values.Count));
            case FieldType.Message when depth < DeepestMessage: return Message(input, field.MessageType, depth);
            default: return null;
        }
    }

    // Wrapper types (UInt32Value) are set by the value that they wrap.
    private static object Message(FuzzInput input, MessageDescriptor type, int depth)
    {
        if (type.File.Name == "google/protobuf/wrappers.proto")
            return Value(input, type.Fields.InDeclarationOrder()[0], depth)!;
        var message = (IMessage)Activator.CreateInstance(type.ClrType)!;
        Fill(input, message, depth + 1);
        return message;
    }

    private static byte[] Address(FuzzInput input)
    {
        byte[] address = new byte[input.Pick([4, 4, 16])];
        address[^1] = (byte)input.Below(4);
        address[0] = 10;
        return address;
    }

    // Half a surrogate pair cannot be written as UTF-8; on the wire there is none.
    private static string Whole(string text) => text.Replace("\ud800", "\ufffd", StringComparison.Ordinal);
}
