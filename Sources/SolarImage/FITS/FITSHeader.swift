import Foundation

/// The keywords of one header and data unit, in their order, with comments, commentary and keywords that mean nothing here.
public struct FITSHeader: Sendable, Equatable {
    public private(set) var cards: [FITSCard]

    public init(_ cards: [FITSCard] = []) { self.cards = cards }

    /// The first card of that keyword.
    public func card(_ keyword: String) -> FITSCard? { place(of: keyword).map { cards[$0] } }

    public func contains(_ keyword: String) -> Bool { place(of: keyword) != nil }

    private func place(of keyword: String) -> Int? {
        let key = FITSCard.key(keyword)
        return cards.indices.first { cards[$0].key == key && (!cards[$0].isLong || cards[$0].keyword == keyword) }
    }

    /// A string without surrounding blanks. Nil if the keyword is absent or holds no string or an empty one.
    public func string(_ keyword: String) -> String? {
        guard case .string(let text)? = card(keyword)?.value else { return nil }
        // Most have none, and trimming costs more than all else.
        if let first = text.utf8.first, let last = text.utf8.last, (0x21...0x7E).contains(first), (0x21...0x7E).contains(last) { return text }
        let trimmed = text.trimmingCharacters(in: .whitespaces)
        return trimmed.isEmpty ? nil : trimmed
    }

    /// A finite number, also one that is stored as a string (`'0.50'`). Nil for anything else: absent, empty, `'nan'`.
    public func real(_ keyword: String) -> Double? {
        switch card(keyword)?.value {
        case .real(let number): number
        case .integer(let number): Double(number)
        case .string(let text): FITSCard.number(text.trimmingCharacters(in: .whitespaces))
        default: nil
        }
    }

    /// A whole number, also one stored as a real (`2.`), a string (`'12'`) or a hexadecimal string (`'0x00000200'`).
    public func integer(_ keyword: String) -> Int? {
        switch card(keyword)?.value {
        case .integer(let number): return number
        case .real(let number): return Int(exactly: number)
        case .string(let text):
            let text = text.trimmingCharacters(in: .whitespaces)
            return text.lowercased().hasPrefix("0x") ? Int(text.dropFirst(2), radix: 16) : Int(text)
        default: return nil
        }
    }

    public func logical(_ keyword: String) -> Bool? {
        guard case .logical(let flag)? = card(keyword)?.value else { return nil }
        return flag
    }

    /// Gives the keyword a value, in its place if it is there, else at the end. A comment of nil keeps the old one; a real that is not finite becomes
    /// undefined.
    /// - Precondition: `keyword` has 1 to 8 characters of `A–Z`, `0–9`, `-` and `_`.
    public mutating func set(_ keyword: String, _ value: FITSCard.Value, comment: String? = nil) {
        if let index = place(of: keyword) {
            cards[index] = FITSCard(keyword, value, comment: comment ?? cards[index].comment)
        } else {
            cards.append(FITSCard(keyword, value, comment: comment ?? ""))
        }
    }

    /// Takes out every card of the keyword; none is fine.
    public mutating func remove(_ keyword: String) { cards.removeAll { $0.keyword == keyword } }

    public mutating func append(_ card: FITSCard) { cards.append(card) }

    /// Adds `HISTORY` at the end, broken between words into lines of up to 72 characters.
    public mutating func addHistory(_ text: String) { addCommentary("HISTORY", text) }

    /// Adds `COMMENT` at the end, broken as ``addHistory(_:)`` does.
    public mutating func addComment(_ text: String) { addCommentary("COMMENT", text) }

    private mutating func addCommentary(_ keyword: String, _ text: String) {
        for paragraph in text.split(separator: "\n", omittingEmptySubsequences: false) {
            var line = ""
            for word in paragraph.split(separator: " ") {
                if !line.isEmpty, line.count + 1 + word.count > 72 {
                    cards.append(FITSCard(commentary: keyword, text: line))
                    line = ""
                }
                line += (line.isEmpty ? "" : " ") + word
                while line.count > 72 {
                    cards.append(FITSCard(commentary: keyword, text: String(line.prefix(72))))
                    line.removeFirst(72)
                }
            }
            cards.append(FITSCard(commentary: keyword, text: line))
        }
    }
}

extension FITSHeader {
    /// The header without the cards that describe how the pixels were stored (shape, scaling, compression, checksums, name of the extension): those a
    /// new file writes anew, and which would be wrong there.
    package func withoutStructure() -> FITSHeader {
        FITSHeader(cards.filter { !FITSHeader.isStructural($0) })
    }

    /// The header with `WCSAXES`, of each description, before all other keywords of the world coordinates (FITS Standard 4.0, section 8.2).
    func withAxesFirst() -> FITSHeader {
        FITSHeader(cards.filter { $0.keyword.hasPrefix("WCSAXES") } + cards.filter { !$0.keyword.hasPrefix("WCSAXES") })
    }

    private static let structural: Set<String> = [
        "SIMPLE", "XTENSION", "BITPIX", "NAXIS", "EXTEND", "PCOUNT", "GCOUNT", "GROUPS", "BLOCKED", "END", "TFIELDS", "THEAP", "BSCALE", "BZERO",
        "BLANK",
        "CHECKSUM", "DATASUM", "HEADSUM", "EXTNAME", "EXTVER", "EXTLEVEL", "INHERIT", "ZIMAGE", "ZSIMPLE", "ZTENSION", "ZEXTEND", "ZBITPIX", "ZNAXIS",
        "ZPCOUNT", "ZGCOUNT", "ZCMPTYPE", "ZMASKCMP", "ZQUANTIZ", "ZDITHER0", "ZBLANK", "ZSCALE", "ZZERO", "ZBLOCKED", "ZHECKSUM", "ZDATASUM",
        "ZTABLE",
        "ZTILELEN", "ZTHEAP",
    ]

    private static let structuralWithNumber: Set<String> = [
        "NAXIS", "ZNAXIS", "ZTILE", "ZNAME", "ZVAL", "ZCTYP", "TTYPE", "TFORM", "TUNIT", "TSCAL", "TZERO", "TNULL", "TDIM", "TDISP",
    ]

    private static func isStructural(_ card: FITSCard) -> Bool {
        if structural.contains(card.keyword) { return true }
        if card.keyword == "COMMENT" {
            // Two lines with which FITS libraries open every file.
            let text = card.comment.trimmingCharacters(in: .whitespaces)
            return text.hasPrefix("FITS (Flexible Image Transport System) format is") || text.hasPrefix("and Astrophysics', volume 376, page 359")
        }
        guard card.keyword.last?.isNumber == true else { return false }
        let stem = card.keyword.reversed().drop(while: \.isNumber).reversed()
        return structuralWithNumber.contains(String(stem))
    }
}
