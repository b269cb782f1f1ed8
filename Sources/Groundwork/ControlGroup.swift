/// The control groups that the process is in (cgroups 2 and 1).
enum ControlGroup {
    /// The limits that the process's group and those above it set.
    ///
    /// - Parameters:
    ///   - controller: of what there are limits, by its name in version 1.
    ///   - read: gives a file's text, nil if there is none.
    ///   - limit: the limit that a group sets, by its folder; nil if it sets none.
    static func limits<Limit>(
        of controller: String, _ read: (String) -> String?, _ limit: (_ folder: String, _ isUnified: Bool) -> Limit?
    ) -> [Limit] {
        guard let groups = read("/proc/self/cgroup") else { return [] }
        var limits: [Limit] = []
        for line in groups.split(separator: "\n") {
            // "0::/user.slice" in version 2, "4:cpu,cpuacct:/job" in version 1
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false).map(String.init)
            guard fields.count == 3 else { continue }
            let isUnified = fields[1].isEmpty
            guard isUnified || fields[1].split(separator: ",").contains(Substring(controller)) else { continue }
            let root = isUnified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/\(controller)"
            var path = fields[2]
            // A container may see its own group as the root though the path tells the host's: every level is asked for, and the root at last.
            while true {
                if let found = limit(root + (path == "/" ? "" : path), isUnified) { limits.append(found) }
                guard path.count > 1, let slash = path.lastIndex(of: "/") else { break }
                path = slash == path.startIndex ? "/" : String(path[..<slash])
            }
        }
        return limits
    }
}
