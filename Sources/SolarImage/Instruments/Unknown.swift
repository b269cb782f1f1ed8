extension Instrument {
    /// Another than the known ones, or a file whose header does not tell: taken as an image of what HMI would have seen.
    public static let unknown = Instrument("unknown")
}
