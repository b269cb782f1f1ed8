import Foundation

/// A key that stands twice in one object of a JSON text: readers of JSON keep either of the two, and do not tell.
/// - Parameter text: sound JSON in UTF-8.
/// - Returns: nil if every object's keys differ.
func repeatedKey(_ text: UnsafeRawBufferPointer) -> String? {
    /// The keys so far of every object around the current place; nil for an array.
    var open: [Set<String>?] = []
    var place = 0
    var isKeyNext = false
    while place < text.count {
        defer { place += 1 }
        switch text[place] {
        case UInt8(ascii: "{"):
            open.append([])
            isKeyNext = true
        case UInt8(ascii: "["):
            open.append(nil)
            isKeyNext = false
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            _ = open.popLast()
            isKeyNext = false
        case UInt8(ascii: ","): if case .some(.some) = open.last { isKeyNext = true }
        case UInt8(ascii: "\""):
            let start = place
            place += 1
            while place < text.count, text[place] != UInt8(ascii: "\"") { place += text[place] == UInt8(ascii: "\\") ? 2 : 1 }
            guard isKeyNext, !open.isEmpty else { continue }
            isKeyNext = false
            // A key may be written in several ways: "a" is "\u0061".
            let token = Data(text[start..<min(text.count, place + 1)])
            let value = try? JSONSerialization.jsonObject(with: token, options: .fragmentsAllowed)
            let key = value as? String ?? String(decoding: token, as: UTF8.self)
            if open[open.count - 1]?.insert(key).inserted == false { return key }
        default: break
        }
    }
    return nil
}
