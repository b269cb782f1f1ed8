import Foundation
import SolarImage
import SuperResolution
import TensorCore
import Testing

@Suite struct CropPlacementTests {
    private func frames(of image: Image, seed: UInt64 = 1, _ change: (inout PreparationOptions) -> Void) -> [CropFrame] {
        var options = PreparationOptions()
        options.cropSize = 64
        change(&options)
        let regions = [SIMD2(Double(image.width), Double(image.height)) / 2]
        return CropPlacement(width: image.width, height: image.height, regions: regions, random: Random(seed: seed), options: options)
            .frames(in: image)
    }

    private func isInside(_ frame: CropFrame, _ image: Image) -> Bool {
        frame.x >= 0 && frame.y >= 0 && frame.x + frame.width <= image.width && frame.y + frame.height <= image.height
    }

    @Test func smallMapIsTakenWhole() {
        for centre in PreparationOptions.Centre.allCases {
            #expect(
                frames(of: Image(width: 64, height: 33, repeating: 1)) {
                    $0.centre = centre
                    $0.cropsPerImage = 5
                } == [CropFrame(x: 0, y: 0, width: 64, height: 33)])
        }
    }

    @Test func randomCropsAreDifferentPlacesOnTheGridOfBlocks() {
        let image = Image(width: 201, height: 50, repeating: 1)
        let found = frames(of: image) { $0.cropsPerImage = 20 }
        #expect(found.count == 20 && Set(found.map(\.x)).count == 20)
        #expect(found.allSatisfy { isInside($0, image) && $0.x % 4 == 0 && $0.y == 0 && $0.width == 64 && $0.height == 50 })
        #expect(found != frames(of: image, seed: 2) { $0.cropsPerImage = 20 })
        // Columns 0, 4 and 8 are all there is.
        #expect(Set(frames(of: Image(width: 73, height: 64, repeating: 1)) { $0.cropsPerImage = 9 }.map(\.x)) == [0, 4, 8])
    }

    @Test func cropsWithoutEnoughValuesAreNotTaken() {
        let halfEmpty = Image(width: 256, height: 256, repeating: 5).transformed { x, _, value in x < 128 ? .nan : value }
        let found = frames(of: halfEmpty) { $0.cropsPerImage = 30 }
        #expect(found.count == 30 && found.allSatisfy { $0.x >= 96 })
        let spot = Image(width: 256, height: 256, repeating: .nan).transformed { x, y, value in x == 100 && y == 100 ? 2000 : value }
        for centre in PreparationOptions.Centre.allCases { #expect(frames(of: spot) { $0.centre = centre }.isEmpty) }
    }

    @Test func strongestFieldIsInTheMiddleAndTheNextElsewhere() {
        let noise = MetricFixture.noise(width: 300, height: 200)
        let image = noise.transformed { x, y, value in
            let first = abs(x - 150) < 8 && abs(y - 110) < 8, second = abs(x - 290) < 6 && abs(y - 20) < 6
            return 10 * value + (first ? (x < 150 ? 1500 : -1500) : second ? 1500 : 0)
        }
        let found = frames(of: image) {
            $0.centre = .strongest
            $0.cropsPerImage = 2
        }
        #expect(found.count == 2)
        guard found.count == 2 else { return }
        #expect(abs(found[0].x + 32 - 150) <= 4 && abs(found[0].y + 32 - 110) <= 4)
        #expect(found[1] == CropFrame(x: 236, y: 0, width: 64, height: 64))
        #expect(found.allSatisfy { $0.x % 4 == 0 && $0.y % 4 == 0 && isInside($0, image) })
    }

    @Test func strongestCropsEndWhereAllOverlap() {
        let image = MetricFixture.noise(width: 130, height: 70)
        let found = frames(of: image) {
            $0.centre = .strongest
            $0.cropsPerImage = 10
        }
        #expect((1...2).contains(found.count))
    }

    @Test func randomCropsOverlapOnlyWhereTheyMust() {
        for seed in 1...20 as ClosedRange<UInt64> {
            let roomy = frames(of: Image(width: 400, height: 400, repeating: 1), seed: seed) { $0.cropsPerImage = 4 }
            #expect(roomy.count == 4)
            for (a, b) in roomy.enumerated().flatMap({ index, a in roomy[(index + 1)...].map { (a, $0) } }) { #expect(a.overlap(b) == 0) }
        }
        let tight = frames(of: Image(width: 100, height: 100, repeating: 1)) { $0.cropsPerImage = 4 }
        #expect(tight.count == 4 && Set(tight).count == 4)
    }

    /// On a disk of radius 120 pixels in 256²: against the definition of every condition.
    @Test func cropsKeepTheirDistanceFromTheLimb() throws {
        var header = FITSHeader()
        for (keyword, value) in [("CRPIX1", 128.5), ("CRPIX2", 128.5), ("CDELT1", 8), ("CDELT2", 8), ("RSUN_OBS", 960)] as [(String, Double)] {
            header.set(keyword, .real(value))
        }
        header.set("CTYPE1", .string("HPLN-TAN"))
        header.set("CTYPE2", .string("HPLT-TAN"))
        let geometry = try MapGeometry(header, time: nil, at: "")
        func mu(_ frame: CropFrame) -> Double {
            let offset = (frame.middle - 127.5) / 120
            return max(0, 1 - (offset * offset).sum()).squareRoot()
        }
        for limit in [0.0, 0.2, 0.6, 0.9] {
            var options = PreparationOptions()
            (options.cropSize, options.cropsPerImage, options.minimumMu) = (32, 40, limit)
            func frames(in image: Image?) -> [CropFrame] {
                CropPlacement(width: 256, height: 256, geometry: geometry, random: Random(seed: 5), options: options).frames(in: image)
            }
            let found = frames(in: nil)
            #expect(found.count == 40)
            for frame in found {
                #expect(mu(frame) >= limit - 1e-9)
                let onDisk = (0..<1024).count {
                    hypot(Double(frame.x + $0 % 32) - 127.5, Double(frame.y + $0 / 32) - 127.5) <= 120
                }
                #expect(onDisk >= 500, "about half of the pixels at least")
            }
            // The limit is used: some crop lies within a quarter of the way from it to where no limit would let it be.
            #expect((found.map(mu).min() ?? 1) < limit + (1 - limit) / 4 + 0.1)
            // The strongest field is beyond the limit, the next within.
            let image = Image(width: 256, height: 256, repeating: 1).transformed { x, y, value in
                abs(x - 20) < 8 && abs(y - 128) < 8 ? 3000 : abs(x - 150) < 8 && abs(y - 128) < 8 ? 1000 : value
            }
            (options.cropsPerImage, options.centre) = (1, .strongest)
            let strongest = frames(in: image)
            // Crops whose centre has μ ≥ 0.6 lie 96 pixels from the disk's at most: column 32, near enough to the strong spot to have its skirts.
            #expect(strongest.count == 1 && strongest.allSatisfy { mu($0) >= limit })
            if limit == 0.9 { #expect(abs((strongest.first?.x ?? 0) + 16 - 150) <= 4) }
            if limit == 0.2 { #expect(abs((strongest.first?.x ?? 0) + 16 - 20) <= 4) }
        }
    }

    @Test func cropsAreCentredOnRegionsAsFarAsBordersAllow() {
        var options = PreparationOptions()
        (options.cropSize, options.cropsPerImage, options.centre) = (64, 3, .noaa)
        let regions = [
            SIMD2(150.2, 99.0), SIMD2(2.0, 197.0), SIMD2(-3.0, 50.0), SIMD2(151.0, 99.0), SIMD2(Double.nan, 3), SIMD2(250.0, 60.0),
            SIMD2(80.0, 60.0),
        ]
        let image = Image(width: 300, height: 200, repeating: 1).transformed { x, _, value in x >= 245 ? .nan : value }
        let found = CropPlacement(width: 300, height: 200, regions: regions, random: Random(seed: 1), options: options).frames(in: image)
        // The third lies outside, the fourth has the first's crop, the one after is nowhere, of the next most pixels have no value.
        #expect(
            found == [
                CropFrame(x: 120, y: 68, width: 64, height: 64), CropFrame(x: 0, y: 136, width: 64, height: 64),
                CropFrame(x: 48, y: 28, width: 64, height: 64),
            ])
    }

    @Test func cropsOfPairsHaveWholeBlocks() {
        let image = Image(width: 151, height: 90, repeating: 1)
        #expect(
            frames(of: image) { ($0.cropSize, $0.lowResolution) = (1024, .simulated(Observation(Instrument.mdi.usualConditions), by: .mdi)) } == [
                CropFrame(x: 0, y: 0, width: 148, height: 88)
            ])
        #expect(frames(of: image) { $0.cropSize = 1024 } == [CropFrame(x: 0, y: 0, width: 151, height: 90)])
    }
}
