import Foundation

/// The processors that the process may use, which on shared machines are fewer than there are.
public enum ProcessorCount {
    /// The least of: the processors that the process is bound to (affinity), whole processors of its control group's quota, and `SLURM_CPUS_PER_TASK`. At
    /// least 1.
    public static let usable: Int = usable(sharedBy: 1)

    /// The same where several processes share what each of them may use; `SLURM_CPUS_PER_TASK` is of each by itself.
    package static func usable(sharedBy processes: Int) -> Int {
        let read = { try? String(contentsOfFile: $0, encoding: .utf8) }
        let shared = [bound(read), quota(read), ProcessInfo.processInfo.activeProcessorCount].compactMap(\.self).min() ?? 1
        return max(1, min(shared / max(1, processes), ofTask(ProcessInfo.processInfo.environment) ?? .max))
    }

    /// The processors of the computer.
    package static var present: Int { ProcessInfo.processInfo.processorCount }

    /// The processors that the process is bound to, as "0-3,8"; nil where the system does not tell.
    package static var boundList: String? { list { try? String(contentsOfFile: $0, encoding: .utf8) } }

    private static func list(_ read: (String) -> String?) -> String? {
        // "Cpus_allowed_list:	0-3,8"
        let line = read("/proc/self/status")?.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }
        return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.map(String.init)
    }

    /// The processors that the process is bound to; nil where the system does not tell.
    ///
    /// - Parameter read: gives a file's text, nil if there is none.
    package static func bound(_ read: (String) -> String?) -> Int? {
        guard let list = list(read) else { return nil }
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
        let quotas = ControlGroup.figures(of: "cpu", read) { folder -> Double? in
            let words = read(folder + "/cpu.max")?.split(whereSeparator: \.isWhitespace).map(String.init) ?? []
            guard words.count == 2, let time = Double(words[0]), let period = Double(words[1]), period > 0 else { return nil }
            return time / period
        } legacy: { folder in
            guard let time = ControlGroup.number(read(folder + "/cpu.cfs_quota_us")),
                let period = ControlGroup.number(read(folder + "/cpu.cfs_period_us")), time > 0, period > 0
            else { return nil }
            return time / period
        }
        return quotas.min().map { max(1, Int(min($0, 1e6))) }
    }
}
