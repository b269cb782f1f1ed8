import Foundation
import SolarImage

/// How a product is made: the keywords `SR…` that each unit of its file has, in their order. Those that do not apply are absent.
struct Provenance {
    private(set) var cards: [FITSCard] = []

    mutating func add(_ keyword: String, _ value: FITSCard.Value?, _ comment: String = "") {
        if let value { cards.append(FITSCard(keyword, value, comment: comment)) }
    }

    /// The keywords that a header has otherwise, with what it has: none for a product that was made like this.
    func differences(from header: FITSHeader) -> [String] {
        // The same file may have got another name.
        var expected = cards.filter { !["SRMODEL", "SRINPUT"].contains($0.keyword) }
        // What may be absent here and there in the header.
        for keyword in ["SRADAPT", "SRCROP", "SRETA"] where !cards.contains(where: { $0.keyword == keyword }) && header.contains(keyword) {
            expected.append(FITSCard(keyword, .undefined))
        }
        return expected.compactMap { card in
            let found = header.card(card.keyword)
            // As records too: they hold no character beyond ASCII.
            guard found?.value != card.value, found?.records != card.records else { return nil }
            return "\(card.keyword) \(Self.text(found?.value)), not \(Self.text(card.value))"
        }
    }

    private static func text(_ value: FITSCard.Value?) -> String {
        switch value {
        case .string(let text): text
        case .integer(let number): "\(number)"
        case .real(let number): String(format: "%g", number)
        case .logical(let flag): flag ? "T" : "F"
        case .undefined, nil: "none"
        }
    }
}

extension FITSHeader {
    /// Whether the image is a product of this program.
    package var isProduct: Bool { contains("SRVERS") }

    /// What the values of a product were divided by already; nil if it is none.
    package var appliedGain: Double? { isProduct ? real("SRGAIN") ?? 1 : nil }

    /// Makes of an input's header that of a product: what identifies the input's record in its archive, or describes its making, goes.
    ///
    /// `DATE` is when a header was written, `ORIGIN` who made the file and `CADENCE` that of the series it belongs to (FITS Standard 4.0, section 4.4.2);
    /// `RECNUM`, `DRMS_ID` and `PRIMARYK` name a record of JSOC's, `DSNAME` and its like one of MDI's earlier archive.
    mutating func becomeProduct(_ provenance: Provenance, scale: Int, date: String) {
        for keyword in [
            "RECNUM", "DRMS_ID", "PRIMARYK", "RUNTIME", "ORIGIN", "CADENCE", "PROTOCOL", "CONFORMS", "DATAKIND", "DATANAME", "DATAFILE", "DSNAME",
            "DSDS_UID", "I_DREC", "DNAME0", "DFNAME0", "D_VARS", "D_MIN0", "D_MAX0", "D_MEAN0", "D_RMS0", "DVALS0", "OUTFIL", "FILENAME",
        ] { remove(keyword) }
        if isProduct { for card in cards where card.keyword.hasPrefix("SR") { remove(card.keyword) } }
        set("DATE", .string(date), comment: "UTC, when this was written")
        set("CONTENT", .string("\(string("CONTENT") ?? "Magnetogram"), super-resolved \(scale) times"), comment: "Type of data")
        remove("_BUNIT")
        set("BUNIT", .string("Gauss"), comment: "Physical units of data")
        for card in provenance.cards { set(card.keyword, card.value, comment: card.comment) }
    }

    /// Now, in UTC as FITS has it; the time of `SOURCE_DATE_EPOCH` where that is set, as reproducible-builds.org has it, so that the same work gives the same
    /// bytes.
    static func dateOfWriting(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> String {
        let given = environment["SOURCE_DATE_EPOCH"].flatMap { Int($0) }.flatMap { (0..<253_402_300_800).contains($0) ? $0 : nil }
        let date = given.map { Date(timeIntervalSince1970: Double($0)) } ?? Date()
        return String(date.formatted(.iso8601).dropLast())
    }
}

extension Image {
    /// The largest |mean of a block − pixel of `low`|, of blocks of `factor` × `factor` pixels all of which have a value.
    func residual(of low: Image, factor: Int) -> Double {
        var largest = 0.0
        for y in 0..<low.height {
            for x in 0..<low.width where !low[x, y].isNaN {
                var sum = 0.0
                for j in 0..<factor { for i in 0..<factor { sum += Double(self[x * factor + i, y * factor + j]) } }
                let residual = abs(sum / Double(factor * factor) - Double(low[x, y]))
                if residual > largest { largest = residual }
            }
        }
        return largest
    }
}
