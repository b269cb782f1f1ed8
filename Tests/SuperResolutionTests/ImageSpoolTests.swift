import Foundation
import Groundwork
import SolarImage
import SuperResolution
import Testing

@Suite struct ImageSpoolTests {
    private func image(_ number: Int) -> Image {
        MetricFixture.noise(width: 31, height: 17, seed: UInt64(number + 1)).transformed { x, y, value in x == y + number ? .nan : value }
    }

    private func expectImage(_ number: Int, at index: Int, of spool: ImageSpool, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let bits = try spool.image(at: index).pixels.map(\.bitPattern)
        #expect(bits == image(number).pixels.map(\.bitPattern), "image \(index)", sourceLocation: sourceLocation)
    }

    @Test func imagesComeBackInAnyOrder() throws {
        try withTemporaryFolder { folder in
            let spool = try ImageSpool(width: 31, height: 17, beside: folder.appendingPathComponent("result.fits"))
            for number in 0..<5 { try spool.append(image(number)) }
            #expect(spool.count == 5)
            for index in [4, 0, 2, 2, 1, 3] { try expectImage(index, at: index, of: spool) }
            // Reading moves no place that writing goes on from.
            try spool.append(image(7))
            try expectImage(7, at: 5, of: spool)
            try expectImage(0, at: 0, of: spool)
        }
    }

    @Test func nothingIsLeftInTheFolder() throws {
        try withTemporaryFolder { folder in
            let result = folder.appendingPathComponent("result.fits")
            try Data("a former result".utf8).write(to: result)
            func names() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: folder.path) }
            var spool: ImageSpool? = try ImageSpool(width: 31, height: 17, beside: result)
            try spool?.append(image(0))
            #expect(try names() == ["result.fits"])
            spool = nil
            #expect(try names() == ["result.fits"])
            #expect(try Data(contentsOf: result) == Data("a former result".utf8))
        }
    }

    @Test func twoForOneResultDoNotMix() throws {
        try withTemporaryFolder { folder in
            let spools = try (0..<2).map { _ in try ImageSpool(width: 31, height: 17, beside: folder.appendingPathComponent("result.fits")) }
            for number in 0..<3 {
                try spools[0].append(image(number))
                try spools[1].append(image(number + 5))
            }
            for index in 0..<3 {
                try expectImage(index, at: index, of: spools[0])
                try expectImage(index + 5, at: index, of: spools[1])
            }
        }
    }

    @Test func aFolderThatCannotBeWrittenIsRefused() throws {
        try withTemporaryFolder { folder in
            try Data().write(to: folder.appendingPathComponent("file"))
            for parent in ["absent", "file"] {
                let url = folder.appendingPathComponent("\(parent)/result.fits")
                let failure = try #require(throws: Failure.self) { try ImageSpool(width: 4, height: 4, beside: url) }
                #expect(failure.category == .cannotWrite && failure.location == url.path && failure.remedy != nil, "\(failure)")
            }
        }
    }
}
