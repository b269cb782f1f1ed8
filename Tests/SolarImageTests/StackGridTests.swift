import SolarImage
import Testing

/// The third axis of images one behind the other.
@Suite struct StackGridTests {
    private func third(_ header: FITSHeader, _ alternative: String = "") -> [Double?] {
        ["CRPIX3", "CRVAL3", "CDELT3", "CD3_3"].map { header.real($0 + alternative) }
    }

    @Test func keepsTheGridOfThePlanes() throws {
        let pixels = [SIMD2(0.0, 0.0), SIMD2(100.5, 20.25), SIMD2(33, 77)]
        for name in ["sharp", "sharp-2025", "mdi", "smarp", "mdi-rebinned", "Coordinates/hmi-cd", "Coordinates/hmi-pc", "Coordinates/mdi-early"] {
            let header = try Fixture.header(name)
            var stacked = header
            stacked.stackGrid("SAMPLE")
            #expect(try PixelGrid(checking: stacked) == PixelGrid(checking: header), "\(name)")
            let (before, after) = (try WorldCoordinates(header).world(at: pixels), try WorldCoordinates(stacked).world(at: pixels))
            #expect(zip(before, after).allSatisfy { $0 == $1 || $0.x.isNaN }, "\(name)")
            #expect(stacked.string("CTYPE3") == "SAMPLE" && stacked.string("CUNIT3") == nil, "\(name)")
            #expect(stacked.cards.filter { !$0.keyword.contains("3") } == header.cards.filter { !$0.keyword.contains("3") }, "\(name)")
        }
    }

    @Test func countsFromOne() throws {
        var header = FITSHeader()
        header.stackGrid("SAMPLE")
        #expect(third(header) == [1, 1, 1, nil])
        #expect(header.cards.count == 4)
        let once = header
        header.stackGrid("SAMPLE")
        #expect(Set(header.cards.map(\.keyword)) == Set(once.cards.map(\.keyword)) && header.cards.count == 4, "a second time changes nothing")
        #expect(third(header) == third(once))
    }

    /// A file may say what an axis of length 1 was, which is no sample.
    @Test func replacesOtherAxes() throws {
        var header = try Fixture.header("Coordinates/hmi-pc")
        let plane = header
        for (keyword, value) in [
            ("CTYPE3", .string("STOKES")), ("CUNIT3", .string("deg")), ("CRVAL3", .real(-4)), ("CDELT3", .real(0.5)), ("CROTA3", .real(9)),
            ("CTYPE4", .string("TIME")), ("CRPIX4", .real(3)), ("CDELT4A", .real(3)), ("CTYPE3A", .string("FREQ")), ("PC3_1", .real(0.5)),
            ("PC1_3", .real(0.25)), ("PC3_3", .real(7)), ("CD2_4", .real(1)), ("PC3_2A", .real(1)),
        ] as [(String, FITSCard.Value)] {
            header.set(keyword, value)
        }
        header.stackGrid("SAMPLE")
        #expect(third(header) == [1, 1, 1, nil] && header.string("CTYPE3") == "SAMPLE")
        #expect(Set(header.cards.map(\.keyword)).subtracting(plane.cards.map(\.keyword)) == ["CTYPE3", "CRPIX3", "CRVAL3", "CDELT3"])
        #expect(plane.cards.allSatisfy { header.cards.contains($0) }, "nothing of the plane is lost")
    }

    @Test func completesMatricesAndAlternativeDescriptions() throws {
        var header = FITSHeader()
        for keyword in ["WCSAXES", "WCSAXESA", "WCSAXESB"] { header.set(keyword, .integer(2), comment: "axes") }
        for keyword in ["CRPIX1", "CDELT1", "CRPIX1A", "CDELT1A", "CD1_1B", "CD2_2B", "CRPIX1B"] { header.set(keyword, .real(0.5)) }
        let keywords = header.cards.map(\.keyword)
        header.stackGrid("SAMPLE")
        #expect(Array(header.cards.map(\.keyword).prefix(keywords.count)) == keywords, "WCSAXES comes before the other keywords of its description")
        #expect(["WCSAXES", "WCSAXESA", "WCSAXESB"].map { header.integer($0) } == [3, 3, 3] && header.card("WCSAXES")?.comment == "axes")
        #expect(third(header) == [1, 1, 1, nil] && third(header, "A") == [1, 1, 1, nil] && third(header, "B") == [1, 1, 1, 1])
        #expect(["", "A", "B"].map { header.string("CTYPE3" + $0) } == ["SAMPLE", "SAMPLE", "SAMPLE"])
        var alone = try Fixture.header("Coordinates/hmi-cd")
        alone.stackGrid("SAMPLE")
        #expect(third(alone) == [1, 1, 1, 1])
    }
}
