/// The extents of a file's tensors under our names, from which it is told what network the file holds.
struct TensorExtents {
    /// The shapes of all tensors by the file's names.
    let shapes: [String: [Int]]
    /// The file's name for one of ours.
    let fileName: (String) -> String

    /// Nil if there is no such tensor or dimension.
    func extent(_ name: String, _ axis: Int) -> Int? {
        shapes[fileName(name)].flatMap { $0.indices.contains(axis) ? $0[axis] : nil }
    }

    /// What most of these extents are, so that one tensor that is missing or mis-shaped does not hide what the network is; nil if none is there.
    func agreed(_ places: (name: String, axis: Int)...) -> Int? {
        let found = places.compactMap { extent($0.name, $0.axis) }
        func votes(_ value: Int) -> Int { found.count { $0 == value } }
        return found.max { votes($0) < votes($1) }
    }
}
