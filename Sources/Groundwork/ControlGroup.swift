import Foundation

/// The control groups that the process is in (cgroups 2 and 1).
enum ControlGroup {
    /// What files of the process's group and of those above it hold, for each level that tells.
    ///
    /// - Parameters:
    ///   - controller: of version 1, such as `cpu`.
    ///   - read: gives a file's text, nil if there is none.
    ///   - unified: gives a group's figure in version 2, of its folder.
    ///   - legacy: the same in version 1.
    static func figures<Figure>(
        of controller: String, _ read: (String) -> String?, unified: (String) -> Figure?, legacy: (String) -> Figure?
    ) -> [Figure] {
        guard let groups = read("/proc/self/cgroup") else { return [] }
        var figures: [Figure] = []
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
                let folder = root + (path == "/" ? "" : path)
                if let figure = isUnified ? unified(folder) : legacy(folder) { figures.append(figure) }
                guard path.count > 1, let slash = path.lastIndex(of: "/") else { break }
                path = slash == path.startIndex ? "/" : String(path[..<slash])
            }
        }
        return figures
    }

    static func number(_ text: String?) -> Double? { text.flatMap { Double($0.trimmingCharacters(in: .whitespacesAndNewlines)) } }
}
