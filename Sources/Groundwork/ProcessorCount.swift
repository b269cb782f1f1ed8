import Foundation

/// The processors that the process may use, which on shared machines are fewer than there are.
public enum ProcessorCount {
    /// The least of: the processors that the process is bound to (affinity), whole processors of its control group's quota, and `SLURM_CPUS_PER_TASK`. At
    /// least 1.
    public static let usable: Int = {
        let read = { try? String(contentsOfFile: $0, encoding: .utf8) }
        let limits = [bound(read), quota(read), ofTask(ProcessInfo.processInfo.environment), ProcessInfo.processInfo.activeProcessorCount]
        return max(1, limits.compactMap(\.self).min() ?? 1)
    }()

    /// The processors that the process is bound to; nil where the system does not tell.
    ///
    /// - Parameter read: gives a file's text, nil if there is none.
    package static func bound(_ read: (String) -> String?) -> Int? {
        // "Cpus_allowed_list:	0-3,8"
        let line = read("/proc/self/status")?.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }
        guard let list = line?.split(whereSeparator: \.isWhitespace).dropFirst().first else { return nil }
        var count = 0
        for range in list.split(separator: ",") {
            let ends = range.split(separator: "-").compactMap { Int($0) }
            guard let first = ends.first, let last = ends.last, first <= last, ends.count <= 2 else { return nil }
            count += last - first + 1
        }
        return count > 0 ? count : nil
    }

    /// What Slurm gave each task of a job; nil outside of Slurm.
    package static func ofTask(_ environment: [String: String]) -> Int? {
        environment["SLURM_CPUS_PER_TASK"].flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
    }

    /// Whole processors, at least 1, of the tightest quota on the control group and those above it (cgroups 2 and 1); nil if there is none. More threads
    /// would be stopped in turns.
    ///
    /// - Parameter read: gives a file's text, nil if there is none.
    package static func quota(_ read: (String) -> String?) -> Int? {
        let quotas = ControlGroup.limits(of: "cpu", read) { folder, isUnified -> Double? in
            if isUnified {
                let words = read(folder + "/cpu.max")?.split(whereSeparator: \.isWhitespace).map(String.init) ?? []
                guard words.count == 2, let time = Double(words[0]), let period = Double(words[1]), period > 0 else { return nil }
                return time / period
            }
            guard let time = number(read(folder + "/cpu.cfs_quota_us")), let period = number(read(folder + "/cpu.cfs_period_us")), time > 0,
                period > 0
            else { return nil }
            return time / period
        }
        return quotas.min().map { max(1, Int(min($0, 1e6))) }
    }

    private static func number(_ text: String?) -> Double? { text.flatMap { Double($0.trimmingCharacters(in: .whitespacesAndNewlines)) } }
}
