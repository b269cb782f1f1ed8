import Foundation

/// One keyword of a FITS header with its value and comment (FITS Standard 4.0, section 4).
///
/// A card that was read keeps the 80-column records it came from, so that writing it again changes no character of it (unless its value broke the
/// standard).
public struct FITSCard: Sendable, Equatable {
    /// The typed value of a keyword.
    public enum Value: Sendable, Equatable {
        case string(String)
        case integer(Int)
        /// Always finite.
        case real(Double)
        case logical(Bool)
        /// No value: an empty value field, or commentary such as `COMMENT` and `HISTORY`.
        case undefined
    }

    /// Upper case, such as `CRPIX1`; empty for a blank record.
    public let keyword: String
    /// That of a card made here, or of a string that goes on in other records. Else it stands in the record alone and is taken from there where it is asked
    /// for: of most cards that are read it never is.
    private let given: Value?
    /// As it was read, a part of the header's text, or as a card made here is written; of a string that goes on in other records the first.
    let record: Substring
    private let continuation: [String]
    /// ``key(_:)`` of the keyword.
    let key: UInt64

    /// A card with a value.
    /// - Precondition: `keyword` has 1 to 8 characters of `A–Z`, `0–9`, `-` and `_`.
    public init(_ keyword: String, _ value: Value, comment: String = "") {
        precondition((1...8).contains(keyword.utf8.count) && FITSCard.isStandard(keyword), "\(keyword) is not a FITS keyword")
        self.keyword = keyword
        let value: Value = if case .real(let number) = value, !number.isFinite { .undefined } else { value }
        given = value
        key = FITSCard.key(keyword)
        let records = FITSCard.format(keyword, value, comment)
        (record, continuation) = (Substring(records[0]), Array(records.dropFirst()))
    }

    /// A line of commentary: `keyword` is `COMMENT`, `HISTORY` or empty, `text` at most 72 characters (the rest is lost).
    package init(commentary keyword: String, text: String) {
        self.keyword = keyword
        given = .undefined
        key = FITSCard.key(keyword)
        (record, continuation) = ((FITSCard.padded(keyword, to: 8) + FITSCard.ascii(text)).prefix(80), [])
    }

    private init(keyword: String, given: Value? = nil, record: Substring, continuation: [String] = []) {
        self.keyword = keyword
        self.given = given
        self.record = record
        self.continuation = continuation
        key = FITSCard.key(keyword)
    }

    public static func == (a: FITSCard, b: FITSCard) -> Bool { a.keyword == b.keyword && a.value == b.value && a.records == b.records }

    /// Whether it has a place for a value and none there; commentary has no such place.
    package var isWithoutValue: Bool { value == .undefined && record.dropFirst(8).hasPrefix("= ") }

    /// The first eight characters of a keyword as one number, by which cards are found. Of a longer keyword, which others may begin as, the highest bit is set:
    /// it must be compared whole.
    static func key(_ keyword: String) -> UInt64 {
        var (key, shift) = (UInt64(0), UInt64(0))
        for byte in keyword.utf8 {
            guard shift < 64 else { return key | 1 << 63 }
            key |= UInt64(byte) << shift
            shift += 8
        }
        return key
    }

    /// Whether its keyword is another's beginning, or has one: ``key`` alone does not tell it.
    var isLong: Bool { key >> 63 != 0 }

    /// Whether it has no place for a value, so that many cards of its keyword may stand.
    var isCommentary: Bool {
        if keyword.isEmpty || keyword == "COMMENT" || keyword == "HISTORY" { return true }
        return record.utf8.dropFirst(8).first != UInt8(ascii: "=") && !keyword.hasPrefix("HIERARCH")
    }

    /// Whether one of the first eight characters of its keyword is a small letter.
    var hasSmallLetters: Bool { key & key >> 1 & 0x2020_2020_2020_2020 != 0 }

    /// Whether all characters may stand in a keyword.
    package static func isStandard(_ keyword: String) -> Bool {
        keyword.utf8.allSatisfy { (65...90).contains($0) || (48...57).contains($0) || $0 == 45 || $0 == 95 }
    }
}

// MARK: - Reading

extension FITSCard {
    /// The cards of a header given as its records; strings continued by `CONTINUE` are joined.
    ///
    /// Nothing is refused: a value that follows no rule (an unquoted word, as old headers have it) becomes a string, a record without a value
    /// commentary.
    package static func cards(from records: [String]) -> [FITSCard] {
        cards(inText: records.flatMap { padded(String(ascii($0).prefix(80)), to: 80).utf8 })
    }

    /// The same of a header's text, 80 columns to a record. What is no printable ASCII becomes a question mark.
    static func cards(inText columns: [UInt8]) -> [FITSCard] {
        let isClean = columns.allSatisfy { (0x20...0x7E).contains($0) }
        let columns = isClean ? columns : columns.map { (0x20...0x7E).contains($0) ? $0 : UInt8(ascii: "?") }
        let text = String(decoding: columns, as: UTF8.self)
        return columns.withUnsafeBufferPointer { columns in
            joined(
                stride(from: 0, to: columns.count, by: 80).map { first in
                    var record = columns[first..<min(first + 80, columns.count)]
                    while record.last == blank { record.removeLast() }
                    let start = text.utf8.index(text.startIndex, offsetBy: first)
                    return FITSCard(keyword: keyword(record), record: text[start..<text.utf8.index(start, offsetBy: record.count)])
                })
        }
    }

    /// The cards with those of `CONTINUE` joined to the string that they go on with.
    private static func joined(_ cards: [FITSCard]) -> [FITSCard] {
        let key = key("CONTINUE")
        guard cards.indices.contains(where: { cards[$0].key == key }) else { return cards }
        var result: [FITSCard] = []
        var next = 0
        while next < cards.count {
            var card = cards[next]
            next += 1
            if next < cards.count, cards[next].key == key, case .string(var text) = card.value {
                let first = next
                while text.utf8.last == ampersand, next < cards.count, let rest = continued(cards[next].record) {
                    text.removeLast()
                    text += rest.text
                    next += 1
                }
                if next > first {
                    let rest = cards[first..<next].map { String($0.record) }
                    card = FITSCard(keyword: card.keyword, given: .string(text), record: card.record, continuation: rest)
                }
            }
            result.append(card)
        }
        return result
    }

    /// The value, undefined for commentary.
    public var value: Value { given ?? withFields { value, _, _ in value } }

    /// The card as text: one record of at most 80 ASCII characters, more if a long string is continued. A value that broke the standard is written in its proper
    /// form.
    public var records: [String] {
        let own = withFields { value, comment, isStandard in
            isStandard ? [String(record)] : FITSCard.format(keyword, value, FITSCard.text(comment))
        }
        return own + continuation
    }

    /// The comment behind the value, or the text of a `COMMENT`, `HISTORY` or blank card.
    public var comment: String {
        let own = withFields { _, comment, _ in FITSCard.text(comment) }
        return ([own] + continuation.compactMap { FITSCard.continued(Substring($0))?.comment }).filter { !$0.isEmpty }.joined(separator: " ")
    }

    private func withFields<Result>(_ body: (_ value: Value, _ comment: Characters, _ isStandard: Bool) -> Result) -> Result {
        var record = record
        return record.withUTF8 { bytes in
            let (value, comment, isStandard) = FITSCard.fields(bytes[...])
            return body(value, comment, isStandard)
        }
    }

    /// What a record of `CONTINUE` adds; nil for any other.
    private static func continued(_ record: Substring) -> (text: String, comment: String)? {
        guard record.hasPrefix("CONTINUE") else { return nil }
        var record = record
        return record.withUTF8 { quoted($0.dropFirst(8)).map { ($0.text, text($0.comment)) } }
    }

    /// Characters of a record, all of them ASCII. By bytes, since the headers of tens of thousands of files are read at a time.
    private typealias Characters = Slice<UnsafeBufferPointer<UInt8>>

    private static let blank = UInt8(ascii: " ")
    private static let equals = UInt8(ascii: "=")
    private static let quote = UInt8(ascii: "'")
    private static let slash = UInt8(ascii: "/")
    private static let ampersand = UInt8(ascii: "&")

    private static func text(_ characters: Characters) -> String { String(decoding: characters, as: UTF8.self) }

    /// Without blanks around them.
    private static func trimmed(_ characters: Characters) -> Characters {
        var inner = characters.drop { $0 == blank }
        while inner.last == blank { inner.removeLast() }
        return inner
    }

    /// The first eight columns, or all before the equals sign of the convention HIERARCH.
    private static func keyword(_ record: Characters) -> String {
        let name = text(trimmed(record.prefix(8)))
        guard name == "HIERARCH", record.dropFirst(8).first != equals, let place = record.firstIndex(of: equals) else { return name }
        return text(trimmed(record[..<place]))
    }

    /// What stands in the columns of a record, and whether its value stands there as the standard wants it: not so a word without quotes or a small `e` in a
    /// number, which are written again in their proper form.
    private static func fields(_ record: Characters) -> (value: Value, comment: Characters, isStandard: Bool) {
        let name = keyword(record), rest = record.dropFirst(8)
        if rest.first == equals, name != "COMMENT", name != "HISTORY", !name.isEmpty { return parse(rest.dropFirst()) }
        if name.hasPrefix("HIERARCH"), let place = record.firstIndex(of: equals) {
            let (value, comment, _) = parse(record[(place + 1)...])
            return (value, comment, true)
        }
        return (.undefined, rest, true)
    }

    /// The value and the comment in the columns after `=`; see ``fields(_:)``.
    private static func parse(_ field: Characters) -> (value: Value, comment: Characters, isStandard: Bool) {
        if let (text, comment) = quoted(field) { return (.string(text), comment, true) }
        let whole = trimmed(field)
        // A slash ends the value where what precedes it is one, or where a space precedes the slash; "Mx/cm^2" without quotes stays whole.
        let end = (whole.startIndex..<whole.endIndex).first { index in
            whole[index] == slash && (index == whole.startIndex || whole[index - 1] == blank || scalar(whole[..<index]) != nil)
        }
        let token = trimmed(whole[..<(end ?? whole.endIndex)])
        let comment = end.map { trimmed(whole[($0 + 1)...]) } ?? whole[whole.endIndex...]
        guard !token.isEmpty else { return (.undefined, comment, true) }
        guard let value = scalar(token) else { return (.string(text(token)), comment, false) }
        return (value, comment, !token.contains { (97...122).contains($0) })
    }

    /// The text between single quotes (`''` stands for one), without trailing blanks, and the comment after it; nil without an opening quote.
    private static func quoted(_ field: Characters) -> (text: String, comment: Characters)? {
        var rest = field.drop { $0 == blank }
        guard rest.popFirst() == quote else { return nil }
        // Up to a quote at a time: of most strings that is all.
        var string = ""
        while true {
            var piece = rest.prefix { $0 != quote }
            rest = rest[piece.endIndex...].dropFirst()
            let goesOn = rest.first == quote
            if !goesOn { while piece.last == blank { piece.removeLast() } }
            string += text(piece)
            guard goesOn else { break }
            string += "'"
            rest.removeFirst()
        }
        rest = rest.drop { $0 == blank }
        return (string, rest.first == slash ? trimmed(rest.dropFirst()) : rest.prefix(0))
    }

    private static func scalar(_ token: Characters) -> Value? {
        if token.count == 1, token.first == UInt8(ascii: "T") || token.first == UInt8(ascii: "F") {
            return .logical(token.first == UInt8(ascii: "T"))
        }
        let text = text(token)
        if let integer = Int(text) { return .integer(integer) }
        return number(text).map(Value.real)
    }

    /// A decimal number as Fortran and C write it; nil for anything else, `nan` and `inf` included.
    static func number(_ text: String) -> Double? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (48...57).contains($0) || "+-.eEdD".utf8.contains($0) }) else { return nil }
        let number = Double(text.utf8.contains { $0 | 32 == UInt8(ascii: "d") } ? text.replacing("D", with: "E").replacing("d", with: "e") : text)
        return number.flatMap { $0.isFinite ? $0 : nil }
    }
}

// MARK: - Writing

extension FITSCard {
    private static func format(_ keyword: String, _ value: Value, _ comment: String) -> [String] {
        let name = padded(keyword, to: 8) + "= "
        switch value {
        case .string(let text): return formatString(name, ascii(text).replacing("'", with: "''"), comment)
        case .integer(let number): return [withComment(name + leftPadded("\(number)"), comment)]
        case .real(let number): return [withComment(name + leftPadded(fortran(number)), comment)]
        case .logical(let flag): return [withComment(name + leftPadded(flag ? "T" : "F"), comment)]
        case .undefined: return [withComment(name + leftPadded(""), comment)]
        }
    }

    /// A string that does not fit into one record goes on in `CONTINUE` records (FITS Standard 4.0, section 4.2.1.2). `text` has its quotes doubled.
    private static func formatString(_ name: String, _ text: String, _ comment: String) -> [String] {
        if text.utf8.count <= 68 { return [withComment(name + "'" + padded(text, to: 8) + "'", comment)] }
        var records: [String] = []
        var rest = Substring(text)
        while !rest.isEmpty {
            var piece = rest.prefix(rest.utf8.count <= 68 ? 68 : 67)
            // A doubled quote is one character and must stay in one piece.
            let quotes = piece.reversed().prefix { $0 == "'" }.count
            if quotes % 2 == 1 { piece = piece.dropLast() }
            rest = rest.dropFirst(piece.count)
            let start = (records.isEmpty ? name : "CONTINUE  ") + "'" + piece
            records.append(rest.isEmpty ? withComment(start + "'", comment) : start + "&'")
        }
        return records
    }

    private static func withComment(_ text: String, _ comment: String) -> String {
        comment.isEmpty || text.utf8.count > 76 ? text : String((padded(text, to: 30) + " / " + ascii(comment)).prefix(80))
    }

    /// The shortest decimal that reads back as the same number, with a decimal point and a capital E.
    private static func fortran(_ number: Double) -> String {
        let text = "\(number)".uppercased()
        guard let exponent = text.firstIndex(of: "E"), !text[..<exponent].contains(".") else { return text }
        return text[..<exponent] + ".0" + text[exponent...]
    }

    private static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.utf8.count))
    }

    private static func leftPadded(_ text: String) -> String {
        String(repeating: " ", count: max(0, 20 - text.utf8.count)) + text
    }

    /// Headers are printable ASCII; any other character becomes a question mark, trailing blanks go.
    private static func ascii(_ text: String) -> String {
        var text = text
        let isClean = text.withUTF8 { $0.allSatisfy { (0x20...0x7E).contains($0) } }
        if isClean, text.utf8.last != 0x20 { return text }
        var bytes =
            isClean ? Array(text.utf8) : text.unicodeScalars.map { (0x20...0x7E).contains($0.value) ? UInt8($0.value) : UInt8(ascii: "?") }
        while bytes.last == 0x20 { bytes.removeLast() }
        return String(decoding: bytes, as: UTF8.self)
    }
}
