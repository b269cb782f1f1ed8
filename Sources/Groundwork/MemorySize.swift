import Foundation

/// An amount of memory.
public struct MemorySize: Sendable, Equatable {
    public let bytes: Int

    public init(bytes: Int) { self.bytes = bytes }

    private static let units: [(name: String, bytes: Double)] = [
        ("KiB", 0x1p10), ("MiB", 0x1p20), ("GiB", 0x1p30), ("TiB", 0x1p40), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("B", 1),
    ]

    /// Of a number with its unit, such as `512MiB`, `1.5 GiB` or `2GB`; nil of any other text, and of more than 2⁶⁰ bytes.
    public init?(_ text: String) {
        guard let unit = Self.units.first(where: { text.hasSuffix($0.name) }) else { return nil }
        let number = text.dropLast(unit.name.count)
        guard number.first?.isNumber == true, let value = Double(number.trimmingCharacters(in: .whitespaces)), value * unit.bytes <= 0x1p60 else {
            return nil
        }
        bytes = Int(value * unit.bytes)
    }
}

extension MemorySize: CustomStringConvertible {
    /// As it is read, to a tenth: `1.5GiB`.
    public var description: String {
        let unit = Self.units.prefix(4).last { Double(bytes) >= $0.bytes } ?? Self.units[0], value = Double(bytes) / unit.bytes
        return (value == value.rounded() ? "\(Int(value))" : String(format: "%.1f", value)) + unit.name
    }
}
