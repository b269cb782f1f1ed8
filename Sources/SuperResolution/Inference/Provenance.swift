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

    /// Makes of an input's header that of a product: what identifies the input's record in its archive, describes its making, or was measured in its pixels,
    /// goes, as do keywords without a value; dates are written as the FITS Standard has them.
    ///
    /// `DATE` is when a header was written, `ORIGIN` who made the file and `CADENCE` that of the series it belongs to (FITS Standard 4.0, section 4.4.2);
    /// `RECNUM`, `DRMS_ID` and `PRIMARYK` name a record of JSOC's, `DSNAME` and its like one of MDI's earlier archive, `INPUTFIL` what a file was made of.
    /// What SHARP and SMARP measure of a region's field and count of its pixels (Bobra et al. 2014, 2021) is not so of finer pixels; where the region lies,
    /// and its names, stay.
    mutating func becomeProduct(_ provenance: Provenance, scale: Int, date: String) {
        for keyword in FITSHeader.ofTheRecord + FITSHeader.measuredOfTheRegion { remove(keyword) }
        for card in cards where card.isWithoutValue { remove(card.keyword) }
        standardizeDates()
        if isProduct { for card in cards where card.keyword.hasPrefix("SR") { remove(card.keyword) } }
        set("DATE", .string(date), comment: "UTC, when this was written")
        set("CONTENT", .string("\(string("CONTENT") ?? "Magnetogram"), super-resolved \(scale) times"), comment: "Type of data")
        remove("_BUNIT")
        set("BUNIT", .string("Gauss"), comment: "Physical units of data")
        for card in provenance.cards { set(card.keyword, card.value, comment: card.comment) }
    }

    private static let ofTheRecord = [
        "RECNUM", "DRMS_ID", "PRIMARYK", "RUNTIME", "ORIGIN", "CADENCE", "PROTOCOL", "CONFORMS", "DATAKIND", "DATANAME", "DATAFILE", "DSNAME",
        "DSDS_UID", "I_DREC", "DNAME0", "DFNAME0", "D_VARS", "D_MIN0", "D_MAX0", "D_MEAN0", "D_RMS0", "DVALS0", "OUTFIL", "FILENAME", "INPUTFIL",
        "CREATED", "PROGVER", "BLD_VERS", "CODEVER7",
    ]

    private static let measuredOfTheRegion = [
        "USFLUX", "MEANGAM", "MEANGBT", "MEANGBZ", "MEANGBH", "MEANJZD", "TOTUSJZ", "MEANALP", "MEANJZH", "TOTUSJH", "ABSNJZH", "SAVNCPP", "MEANPOT",
        "TOTPOT", "MEANSHR", "SHRGT45", "R_VALUE", "CMASK", "ERRGAM", "ERRBT", "ERRBZ", "ERRBH", "ERRJZ", "ERRUSI", "ERRALP", "ERRMIHT", "ERRTUSI",
        "ERRTAI", "ERRJHT", "ERRMPOT", "ERRTPOT", "ERRMSHA", "ERRVF", "USFLUXL", "MEANGBL", "CMASKL", "MTOT", "MNET", "MPOS_TOT", "MNEG_TOT", "MMEAN",
        "MSTDEV", "MSKEW", "MKURT", "NPIX", "NPIX_SPT", "NACR", "ARM_NCLN", "ARS_NCLN",
    ]

    /// Now, in UTC as FITS has it; the time of `SOURCE_DATE_EPOCH` where that is set, as reproducible-builds.org has it, so that the same work gives the same
    /// bytes.
    static func dateOfWriting(_ environment: [String: String] = ProcessInfo.processInfo.environment) -> String {
        let given = environment["SOURCE_DATE_EPOCH"].flatMap { Int($0) }.flatMap { (0..<253_402_300_800).contains($0) ? $0 : nil }
        let date = given.map { Date(timeIntervalSince1970: Double($0)) } ?? Date()
        return String(date.formatted(.iso8601).dropLast())
    }
}

extension Image {
    /// The largest |what an observation makes of this image − `low`| in Gauss, where `low` has a value and all pixels of the block have one.
    func residual(of low: Image, by observation: LinearObservation, factor: Int) -> Double {
        let observed = blurred(by: observation.psf, arcsecPerPixel: observation.arcsecPerPixel)
        var largest = 0.0
        for y in 0..<low.height {
            for x in 0..<low.width where !low[x, y].isNaN {
                var sum = 0.0
                for j in 0..<factor { for i in 0..<factor { sum += Double(observed[x * factor + i, y * factor + j]) } }
                let residual = abs(sum / Double(factor * factor) - Double(low[x, y]))
                if residual > largest { largest = residual }
            }
        }
        return largest
    }
}
