import SolarImage
import Testing

@Suite struct FITSCardTests {
    @Test(arguments: [
        ("CDELT1  =   1.9860081672668457 / [arcsec/pix] increment", FITSCard.Value.real(1.9860081672668457), "[arcsec/pix] increment"),
        ("NAXIS   =                    2  / NUMBER OF AXES", .integer(2), "NUMBER OF AXES"),
        ("SIMPLE  =                    T", .logical(true), ""),
        ("T_OBS   = '2012.03.07_08:23:56_TAI'", .string("2012.03.07_08:23:56_TAI"), ""),
        ("BUNIT   = 'Mx/cm^2 '           / units / of data", .string("Mx/cm^2"), "units / of data"),
        ("NAME    = 'O''Hara''s  '", .string("O'Hara's"), ""),
        ("NOAA_ARS= ''", .string(""), ""),
        ("BLD_VERS=                      / (MISSING) JSOC", .undefined, "(MISSING) JSOC"),
        ("REMARK1 =", .undefined, ""),
        ("BZERO   =           0.000000E0  /", .real(0), ""),
        ("CADENCE =                 720.", .real(720), ""),
        ("X       =              1.25D+3", .real(1250), ""),
        ("BIG     = 123456789012345678901", .real(1.2345678901234568e20), ""),
        ("_BUNIT  = 'Mx/cm^2 '", .string("Mx/cm^2"), ""),
    ])
    func readsValues(_ record: String, _ value: FITSCard.Value, _ comment: String) throws {
        let card = try #require(FITSCard.cards(from: [record]).first)
        #expect(card.value == value)
        #expect(card.comment == comment)
        #expect(card.records == [record], "a card that keeps to the rules stays as it is")
    }

    @Test(arguments: [
        ("BUNIT   =                gauss", FITSCard.Value.string("gauss"), "BUNIT   = 'gauss   '"),
        ("BUNIT   = Mx/cm^2", .string("Mx/cm^2"), "BUNIT   = 'Mx/cm^2 '"),
        ("REMARK1 = WINDY BAD SEEIN / seen", .string("WINDY BAD SEEIN"), "REMARK1 = 'WINDY BAD SEEIN'    / seen"),
        ("USFLUX  = 5.721573e+22", .real(5.721573e22), "USFLUX  =         5.721573E+22"),
        ("GWILL   = nan", .string("nan"), "GWILL   = 'nan     '"),
    ])
    func mendsValuesThatBreakTheRules(_ record: String, _ value: FITSCard.Value, _ mended: String) throws {
        let card = try #require(FITSCard.cards(from: [record]).first)
        #expect(card.value == value)
        #expect(card.records == [mended])
    }

    @Test func joinsContinuedStrings() throws {
        let records = [
            "LICENSE = 'hmi.sharp_cea_720s by JSOC-SDP is marked CC0 1.0. To view a copy of&'", "CONTINUE  ' this mark, visit&'",
            "CONTINUE  ' us'   / License",
            "NEXT    =                    1",
        ]
        let cards = FITSCard.cards(from: records)
        #expect(cards.count == 2)
        #expect(cards[0].value == .string("hmi.sharp_cea_720s by JSOC-SDP is marked CC0 1.0. To view a copy of this mark, visit us"))
        #expect(cards[0].comment == "License")
        #expect(cards[0].records == Array(records[..<3]))
    }

    @Test func keepsCommentaryAndOddRecords() {
        let records = ["COMMENT = not a value", "HISTORY   indented", "", "HIERARCH ESO DET DIT = 1.5 / s", "CONTINUE  'of nothing'", "lower   = 1"]
        let cards = FITSCard.cards(from: records)
        #expect(cards.map(\.keyword) == ["COMMENT", "HISTORY", "", "HIERARCH ESO DET DIT", "CONTINUE", "lower"])
        #expect(cards[0].comment == "= not a value" && cards[0].value == .undefined)
        #expect(cards[1].comment == "  indented")
        #expect(cards[3].value == .real(1.5) && cards[3].comment == "s")
        #expect(cards.flatMap(\.records) == records)
    }

    @Test(arguments: [
        FITSCard("CRPIX1", .real(2048.048), comment: "[pix]"), FITSCard("A", .real(1e-300)), FITSCard("B", .real(-0.1 - 0.2)),
        FITSCard("C", .integer(Int.min)),
        FITSCard("D", .logical(false), comment: "no"), FITSCard("E-_9", .undefined), FITSCard("F", .string("")), FITSCard("G", .string("it's")),
        FITSCard("H", .string(String(repeating: "abc'd", count: 60)), comment: "long"), FITSCard("I", .string(String(repeating: "'", count: 200))),
        FITSCard("J", .string(String(repeating: "x", count: 68))), FITSCard("K", .string(String(repeating: "y", count: 69))),
    ])
    func writesWhatItReads(_ card: FITSCard) throws {
        #expect(card.records.allSatisfy { $0.utf8.count <= 80 })
        let read = FITSCard.cards(from: card.records)
        #expect(read.count == 1)
        #expect(read.first?.value == card.value)
        #expect(read.first?.keyword == card.keyword)
        if card.records.count == 1 { #expect(read.first?.comment == card.comment) }
    }

    @Test func alignsAsOtherProgramsDo() {
        #expect(FITSCard("CDELT1", .real(0.5), comment: "step").records == ["CDELT1  =                  0.5 / step"])
        #expect(FITSCard("EXTNAME", .string("LR")).records == ["EXTNAME = 'LR      '"])
        #expect(FITSCard("SMALL", .real(1e-5)).records == ["SMALL   =              1.0E-05"])
        #expect(FITSCard("NOTE", .string("é\nx")).records == ["NOTE    = '??x     '"])
        #expect(FITSCard("NONE", .real(.nan)).value == .undefined)
        #expect(FITSCard("A", .integer(1), comment: String(repeating: "z", count: 100)).records[0].count == 80)
    }

    /// Written in its proper form it takes two records.
    @Test func aLongWordWithoutQuotesKeepsItsRest() {
        let word = String(repeating: "x", count: 69) + "&"
        let cards = FITSCard.cards(from: ["NOTE    = " + word])
        #expect(cards.map(\.value) == [.string(word)])
        #expect(FITSCard.cards(from: cards.flatMap(\.records)) == cards)
    }
}
