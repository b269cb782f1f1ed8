/// Puts together what must not be torn apart, such as all maps of one active region when data are split for training and test.
package enum RegionGroups {
    /// Items that have a key in common, directly or through other items, in one group.
    /// - Parameter keys: the keys of each item, such as the regions that a map shows; an item without any stands alone.
    /// - Returns: indices of the items, ascending within a group; groups in the order of their first items.
    package static func groups<Key: Hashable>(_ keys: [[Key]]) -> [[Int]] {
        // Every item points towards the first of its group (Galler & Fischer 1964).
        var parent = Array(keys.indices)
        func root(_ item: Int) -> Int {
            var item = item
            while parent[item] != item {
                parent[item] = parent[parent[item]]
                item = parent[item]
            }
            return item
        }
        var holder: [Key: Int] = [:]
        for (item, own) in keys.enumerated() {
            for key in own {
                let (a, b) = (root(item), root(holder[key] ?? item))
                parent[max(a, b)] = min(a, b)
                holder[key] = min(a, b)
            }
        }
        var members: [Int: [Int]] = [:]
        for item in keys.indices { members[root(item), default: []].append(item) }
        return members.sorted { $0.key < $1.key }.map(\.value)
    }
}
