import Foundation
import Groundwork
import SolarImage
import SuperResolution
import TensorCore
import Testing

@Suite struct TrainingDataTests {
    private typealias Crop = MagnetogramCollection.Crop

    /// A crop of the collection's first map.
    private func crop(
        of collection: MagnetogramCollection, x: Int = 0, y: Int = 0, size: Int, orientation: Int = 0, reversesPolarity: Bool = false
    ) -> Crop {
        var random = Random(seed: 0)
        var crop = collection.randomCrop(size: size, &random)
        (crop.file, crop.x, crop.y, crop.orientation, crop.reversesPolarity) = (0, x, y, orientation, reversesPolarity)
        return crop
    }

    /// A collection of one map.
    private func collection(_ image: Image, in folder: URL) throws -> MagnetogramCollection {
        try TrainingExample.write(image, harp: 1, to: folder.appendingPathComponent("map.fits"))
        return try TrainingExample.collection(folder)
    }

    /// Different everywhere.
    private func numbered(width: Int, height: Int) -> Image {
        Image(width: width, height: height, pixels: (0..<width * height).map { Float($0) - 10.5 })
    }

    // MARK: - Crops

    @Test func cropsAreWhereTheySayTheyAre() throws {
        try withTemporaryFolder { folder in
            let image = numbered(width: 9, height: 7)
            let collection = try collection(image, in: folder)
            let fields = try collection.fields([crop(of: collection, x: 3, y: 2, size: 4), crop(of: collection, x: 5, y: 3, size: 4)])
            #expect(fields.shape == [2, 4, 4, 1])
            for (index, (x, y)) in [(3, 2), (5, 3)].enumerated() {
                #expect(fields.sliced(axis: 0, range: index..<index + 1).values == image.cropped(x: x, y: y, width: 4, height: 4).pixels)
            }
        }
    }

    @Test func orientationsAreTheEightOfASquare() throws {
        try withTemporaryFolder { folder in
            let image = numbered(width: 9, height: 7)
            let collection = try collection(image, in: folder)
            let size = 4
            func oriented(_ orientation: Int) throws -> [Float] {
                try collection.fields([crop(of: collection, x: 2, y: 1, size: size, orientation: orientation)]).values
            }
            func turned(_ values: [Float]) -> [Float] {
                (0..<size * size).map { values[($0 % size) * size + size - 1 - $0 / size] }
            }
            func mirrored(_ values: [Float]) -> [Float] {
                (0..<size * size).map { values[$0 / size * size + size - 1 - $0 % size] }
            }
            let original = try oriented(0)
            #expect(original == image.cropped(x: 2, y: 1, width: size, height: size).pixels)
            var expected: Set<[Float]> = []
            var turns = original
            for _ in 0..<4 {
                turns = turned(turns)
                expected.formUnion([turns, mirrored(turns)])
            }
            #expect(turns == original && expected.count == 8)
            let all = try (0..<8).map(oriented)
            #expect(Set(all) == expected)
            // The first four are turns one way round, the others mirror images.
            let direction = all[1] == turned(original) ? turned : { turned(turned(turned($0))) }
            for index in 0..<3 { #expect(all[index + 1] == direction(all[index]), "orientation \(index + 1)") }
            #expect(Set(all[4...]).isDisjoint(with: Set(all[..<4])))
        }
    }

    @Test func polarityReverses() throws {
        try withTemporaryFolder { folder in
            let collection = try collection(numbered(width: 9, height: 7), in: folder)
            for orientation in 0..<8 {
                let plain = try collection.fields([crop(of: collection, x: 1, y: 1, size: 5, orientation: orientation)])
                let reversed = try collection.fields([crop(of: collection, x: 1, y: 1, size: 5, orientation: orientation, reversesPolarity: true)])
                #expect(reversed.values == plain.values.map { -$0 })
            }
        }
    }

    @Test func beyondTheEdgeAMapContinuesAsItsMirrorImage() throws {
        try withTemporaryFolder { folder in
            let image = numbered(width: 5, height: 3)
            let collection = try collection(image, in: folder)
            let values = try collection.fields([crop(of: collection, size: 14)]).values
            let columns = [0, 1, 2, 3, 4, 4, 3, 2, 1, 0, 0, 1, 2, 3]
            let rows = [0, 1, 2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0, 1]
            for y in 0..<14 {
                for x in 0..<14 { #expect(values[y * 14 + x] == image[columns[x], rows[y]], "\(x), \(y)") }
            }
        }
    }

    @Test func missingPixelsAreZero() throws {
        try withTemporaryFolder { folder in
            var image = numbered(width: 9, height: 7)
            (image[2, 3], image[4, 4]) = (.nan, .nan)
            let collection = try collection(image, in: folder)
            for reversed in [false, true] {
                let values = try collection.fields([crop(of: collection, size: 7, reversesPolarity: reversed)]).values
                #expect(values.indices.filter { values[$0] == 0 } == [3 * 7 + 2, 4 * 7 + 4])
                #expect(values.allSatisfy { $0.isFinite })
            }
        }
    }

    // MARK: - Drawing

    @Test func drawingDependsOnTheSeedAlone() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(3, to: folder)
            let (collection, again) = (try TrainingExample.collection(folder), try TrainingExample.collection(folder))
            func draw(_ collection: MagnetogramCollection, seed: UInt64) -> [Crop] {
                var random = Random(seed: seed)
                return (0..<200).map { _ in collection.randomCrop(size: 64, &random) }
            }
            let crops = draw(collection, seed: 1)
            #expect(draw(again, seed: 1) == crops)
            #expect(draw(collection, seed: 2) != crops)
            #expect(try again.fields(Array(crops.prefix(9))).values == collection.fields(Array(crops.prefix(9))).values)
            // Everything is drawn: maps, places, orientations, polarities; all within the maps.
            #expect(Set(crops.map(\.file)) == [0, 1, 2])
            #expect(Set(crops.map(\.orientation)) == Set(0..<8))
            #expect(Set(crops.map(\.reversesPolarity)) == [false, true])
            #expect(crops.allSatisfy { (0...96 - 64).contains($0.x) && (0...80 - 64).contains($0.y) })
            #expect(Set(crops.map(\.x)).count > 20 && Set(crops.map(\.y)).count > 12)
        }
    }

    @Test func largeMapsAreDrawnMoreOften() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.write(numbered(width: 30, height: 10), harp: 1, to: folder.appendingPathComponent("a.fits"))
            try TrainingExample.write(numbered(width: 10, height: 10), harp: 2, to: folder.appendingPathComponent("b.fits"))
            let collection = try TrainingExample.collection(folder)
            var random = Random(seed: 3)
            let files = (0..<1000).map { _ in collection.randomCrop(size: 8, &random).file }
            let share = Double(files.filter { $0 == 0 }.count) / 1000
            #expect(abs(share - 0.75) < 0.05)
        }
    }

    @Test func mapsSmallerThanACrop() throws {
        try withTemporaryFolder { folder in
            let collection = try collection(numbered(width: 5, height: 40), in: folder)
            var random = Random(seed: 4)
            for _ in 0..<20 {
                let crop = collection.randomCrop(size: 16, &random)
                #expect(crop.x == 0 && (0...24).contains(crop.y))
                #expect(try collection.fields([crop]).values.allSatisfy { $0.isFinite })
            }
        }
    }

    // MARK: - Folders

    @Test func unusableFilesAreLeftOut() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(2, to: folder)
            try Data("not FITS".utf8).write(to: folder.appendingPathComponent("broken.fits"))
            try Data("notes".utf8).write(to: folder.appendingPathComponent("notes.txt"))
            try Data("SIMPLE".utf8).write(to: folder.appendingPathComponent(".hidden.fits"))
            let collection = try TrainingExample.collection(folder)
            #expect(collection.entries.map(\.url.lastPathComponent) == ["map0.fits", "map1.fits"])
            #expect(collection.entries.map(\.regions) == [[.harp(101)], [.harp(102)]])
            #expect(collection.entries.allSatisfy { $0.width == 96 && $0.height == 80 })
        }
    }

    @Test func folderWithoutData() throws {
        try withTemporaryFolder { folder in
            var failure = try #require(throws: Failure.self) { try TrainingExample.collection(folder) }
            #expect(failure.category == .badData && failure.location == folder.path && failure.remedy != nil)
            try Data("not FITS".utf8).write(to: folder.appendingPathComponent("broken.fits"))
            failure = try #require(throws: Failure.self) { try TrainingExample.collection(folder) }
            #expect(failure.category == .badData && failure.found?.contains("broken.fits") == true)
            failure = try #require(throws: Failure.self) { try TrainingExample.collection(folder.appendingPathComponent("none")) }
            #expect(failure.category == .missingInput)
        }
    }

    // MARK: - Validation

    /// A collection of maps that show these regions.
    private func collection(_ regions: [[Region]], in folder: URL) throws -> MagnetogramCollection {
        for (index, regions) in regions.enumerated() {
            var header = FITSHeader()
            var numbers: [String] = []
            for region in regions {
                switch region {
                case .harp(let number): header.set("HARPNUM", .integer(number))
                case .tarp(let number): header.set("TARPNUM", .integer(number))
                case .noaa(let number): numbers.append("\(number)")
                }
            }
            if !numbers.isEmpty { header.set("NOAA_ARS", .string(numbers.joined(separator: ","))) }
            let name = String(format: "map%03d.fits", index)
            try FITSWriter.write(numbered(width: 12, height: 10), header: header, to: folder.appendingPathComponent(name))
        }
        let collection = try TrainingExample.collection(folder)
        #expect(collection.entries.map { Set($0.regions) } == regions.map { Set($0) })
        return collection
    }

    @Test func validationSharesNoRegionWithTraining() throws {
        // Twenty regions of one to five maps; some maps show two regions, some have a HARP and a NOAA number, some nothing.
        var regions: [[Region]] = (1...20).flatMap { number in
            (0...number % 5).map { $0 % 2 == 0 ? [.harp(number)] : [.harp(number), .noaa(11000 + number)] }
        }
        regions += [[.noaa(11003)], [.noaa(11007), .noaa(11008)], [.harp(40), .tarp(41)], [.tarp(41)], [], [], []]
        try withTemporaryFolder { folder in
            let all = try collection(regions, in: folder)
            let (training, validation) = all.splitByRegion()
            let held = try #require(validation)
            let paths = { (collection: MagnetogramCollection) in collection.entries.map(\.url.path) }
            #expect(Set(paths(training) + paths(held)) == Set(paths(all)))
            #expect(training.entries.count + held.entries.count == all.entries.count)
            #expect(Set(training.entries.flatMap(\.regions)).isDisjoint(with: Set(held.entries.flatMap(\.regions))))
            #expect(!held.entries.isEmpty && held.entries.count * 3 < all.entries.count)
            // Maps that name no region may show any: they are never on both sides.
            #expect(Set([training, held].map { $0.entries.contains { $0.regions.isEmpty } }).count == 2)
            let again = try TrainingExample.collection(folder).splitByRegion()
            #expect(paths(again.training) == paths(training) && again.validation.map(paths) == paths(held))
        }
    }

    @Test func splitMapsKeepTheirPixels() throws {
        try withTemporaryFolder { folder in
            try TrainingExample.writeMaps(6, to: folder)
            let all = try TrainingExample.collection(folder)
            let (training, validation) = all.splitByRegion()
            for part in [training, try #require(validation)] {
                for (index, entry) in part.entries.enumerated() {
                    let original = try #require(all.entries.firstIndex { $0.url == entry.url })
                    var crop = crop(of: all, x: 3, y: 5, size: 32)
                    crop.file = original
                    let expected = try all.fields([crop])
                    crop.file = index
                    expectSame(try part.fields([crop]), expected, entry.url.lastPathComponent)
                }
            }
        }
    }

    @Test(arguments: [
        [[Region.harp(1)]], [[.harp(1)], [.harp(1)], [.harp(1)]], [[.harp(1)], [.harp(2)]], [[], [], [], []],
        // One chain.
        [[.harp(1)], [.harp(1), .noaa(11001)], [.noaa(11001), .noaa(11002)], [.noaa(11002), .harp(2)], [.harp(2)]],
    ]) func tooFewRegionsToHoldAnyBack(_ regions: [[Region]]) throws {
        try withTemporaryFolder { folder in
            let (training, validation) = try collection(regions, in: folder).splitByRegion()
            #expect(training.entries.count == regions.count && validation == nil)
        }
    }
}
