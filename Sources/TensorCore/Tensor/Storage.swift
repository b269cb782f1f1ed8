/// A 64-byte-aligned block of floats, shared by reference and returned to a pool when its last owner lets go.
package final class Storage: @unchecked Sendable {
    package let pointer: UnsafeMutablePointer<Float>
    /// The size of the block in bytes; at least what was asked for.
    private let capacity: Int

    /// - Parameter count: how many floats the block must hold; their values are undefined.
    package init(count: Int) {
        let block = StoragePool.take(max(1, count) * MemoryLayout<Float>.stride)
        capacity = block.capacity
        pointer = block.pointer.assumingMemoryBound(to: Float.self)
    }

    deinit {
        StoragePool.give(UnsafeMutableRawPointer(pointer), capacity: capacity)
    }
}
