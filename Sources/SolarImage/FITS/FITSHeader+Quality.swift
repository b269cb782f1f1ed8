extension FITSHeader {
    /// `QUALITY` as a word of 32 bits, whether stored as a number (negative if the top bit is set) or in hexadecimal text. Nil if there is none.
    public var quality: UInt32? { integer("QUALITY").map { UInt32(truncatingIfNeeded: $0) } }
}
