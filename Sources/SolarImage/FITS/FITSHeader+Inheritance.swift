extension FITSHeader {
    /// The header of an extension with what the primary unit says for it: where it has `INHERIT = T` (FITS Standard 4.0, appendix K), and where, without
    /// `INHERIT`, it tells neither grid nor instrument and the primary unit holds no pixels, so that its keywords can be of nothing else. What the extension
    /// tells itself counts.
    ///
    /// Keywords of how pixels are stored are each unit's own. Commentary comes along, as the convention does not ask for, so that none is lost.
    func inheriting(from primary: FITSHeader) -> FITSHeader {
        let isBare = primary.integer("NAXIS") == 0 && !hasGrid && origins.isEmpty
        guard logical("INHERIT") ?? isBare else { return self }
        let own = Set(cards.lazy.filter { !$0.isCommentary }.map(\.keyword))
        return FITSHeader(primary.withoutStructure().cards.filter { !own.contains($0.keyword) } + cards)
    }
}
