import Foundation

/// The memory that the process has and may have, in bytes.
public enum Memory {
    /// The most that the process has held in memory at any time.
    public static var peak: Int {
        #if os(Linux)
            return status("VmHWM:") ?? 0
        #else
            var usage = rusage()
            getrusage(RUSAGE_SELF, &usage)
            return usage.ru_maxrss
        #endif
    }

    /// What it holds in memory now; nil where the system does not tell.
    package static var held: Int? { status("VmRSS:") }

    /// A line of Linux such as "VmHWM:   123456 kB".
    private static func status(_ name: String) -> Int? {
        let line = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8))?.split(separator: "\n").first { $0.hasPrefix(name) }
        return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }.map { $0 << 10 }
    }

    /// What the process may hold: the machine's memory, or less where its control group or those above it have less.
    public static let limit: Int = {
        let machine = Int(clamping: ProcessInfo.processInfo.physicalMemory)
        return min(machine, quota { try? String(contentsOfFile: $0, encoding: .utf8) } ?? machine)
    }()

    /// The tightest limit on memory of the control group and those above it (cgroups 2 and 1); nil if there is none.
    /// - Parameter read: gives a file's text, nil if there is none.
    package static func quota(_ read: (String) -> String?) -> Int? {
        // In version 2 "max" where there is no limit, in version 1 a number close to 2⁶³.
        func bytes(_ file: String) -> Double? { ControlGroup.number(read(file)).flatMap { $0 > 0 && $0 < 1e18 ? $0 : nil } }
        let limits = ControlGroup.figures(of: "memory", read) {
            bytes($0 + "/memory.max")
        } legacy: {
            bytes($0 + "/memory.limit_in_bytes")
        }
        return limits.min().map { Int($0) }
    }
}
