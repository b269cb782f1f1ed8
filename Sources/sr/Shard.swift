import SuperResolution

/// How cluster jobs share files.
enum Shard {
    /// The part that a file is in, 1 … `count`: by the first four bytes of the SHA-256 of its name, so that no other file matters.
    static func part(of name: String, among count: Int) throws -> Int {
        let digest = try sha256(ofText: name)
        return Int((UInt64(digest.prefix(8), radix: 16) ?? 0) % UInt64(count)) + 1
    }
}
