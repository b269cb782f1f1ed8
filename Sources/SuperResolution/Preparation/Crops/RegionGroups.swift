/// Puts together what must not be torn apart, such as all maps of one active region when data are split for training and test.
package enum RegionGroups {
    /// Items that have a key in common, or that are joined otherwise, directly or through other items, in one group.
    /// - Parameters:
    ///   - keys: the keys of each item, such as the regions that a map shows; an item without any stands alone.
    ///   - join: joins further pairs of items by `unite`, and may ask by `isUnited` what is in one group already.
    /// - Returns: indices of the items, ascending within a group; groups in the order of their first items.
    package static func groups<Key: Hashable>(
        _ keys: [[Key]], join: (_ isUnited: (Int, Int) -> Bool, _ unite: (Int, Int) -> Void) -> Void = { _, _ in }
    ) -> [[Int]] {
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
        func unite(_ first: Int, _ second: Int) {
            let (a, b) = (root(first), root(second))
            parent[max(a, b)] = min(a, b)
        }
        var holder: [Key: Int] = [:]
        for (item, own) in keys.enumerated() {
            for key in own {
                unite(item, holder[key] ?? item)
                holder[key] = root(item)
            }
        }
        join({ root($0) == root($1) }, unite)
        var members: [Int: [Int]] = [:]
        for item in keys.indices { members[root(item), default: []].append(item) }
        return members.sorted { $0.key < $1.key }.map(\.value)
    }
}
