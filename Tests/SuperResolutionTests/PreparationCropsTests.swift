import SolarImage
import SuperResolution
import TensorCore
import Testing

@Suite struct PreparationCropsTests {
    private func frames(of image: Image, seed: UInt64 = 1, _ change: (inout PreparationOptions) -> Void) -> [CropFrame] {
        var options = PreparationOptions()
        options.cropSize = 64
        change(&options)
        let placement = CropPlacement(width: image.width, height: image.height, options: options)
        if let whole = placement.whole { return image.isMostlyKnown(whole) ? [whole] : [] }
        switch options.centre {
        case .random:
            var random = Random(seed: seed)
            return placement.random(&random, isFit: image.isMostlyKnown)
        case .strongest: return placement.strongest(in: image)
        case .noaa: return placement.around([SIMD2(Double(image.width), Double(image.height)) / 2], isFit: image.isMostlyKnown)
        }
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
}
