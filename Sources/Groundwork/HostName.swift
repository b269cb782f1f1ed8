import Foundation

/// The name of the computer as the system has it, without asking the network; nil if it has none.
package func hostName() -> String? {
    // POSIX allows 255 bytes.
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0, name[0] != 0 else { return nil }
    return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
}
