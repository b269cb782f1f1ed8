import Groundwork
import SolarImage

/// A true map made ready for scoring: trimmed, its pixels without data masked.
package struct Truth: Sendable {
    /// The field in Gauss, 0 where it is masked.
    package let field: Image
    /// Which pixels hold data, as long as `field.pixels`; nil if all do.
    package let valid: [Bool]?
    /// What the models were given, trimmed alike, in Gauss with NaN.
    package let lowResolution: Image
    /// The area of a pixel on the Sun in cm², if the header tells.
    package let pixelArea: Double?
    /// Width and height before trimming.
    let untrimmedSize: (width: Int, height: Int)
    /// Width and height were trimmed to multiples of this.
    package let trim: Int
    /// High-resolution pixels per low-resolution pixel along an axis.
    package let factor: Int
    /// μ, the cosine of the angle from the centre of the disk, in the middle of each block of `Truth.muBlock` pixels; nil if it is not known.
    package let mu: Image?
    /// The side, in pixels, of the blocks of ``mu``; along a block μ changes little.
    package static let muBlock = 16
    let spectrumMemo = Memo<PowerSpectrum>()
    let regionMemo = Memo<ActiveRegionSize>()
    let fineMemo = Memo<Image>()
    let perceptualMemo = Memo<PerceptualDistance.Features>()

    /// - Parameters:
    ///   - map: the high-resolution map in Gauss; every pixel that is not finite is masked.
    ///   - lowResolution: the models' input where it is not the block mean of `map`.
    ///   - factor: high-resolution pixels per low-resolution pixel along an axis.
    ///   - mu: in blocks, as ``mu``; at least as large as the map asks for.
    ///   - trim: width and height are trimmed from pixel (0, 0) to multiples of this; itself a multiple of `factor`.
    /// - Throws: `Failure` (`.badData`) if the map is smaller than `trim`, or `lowResolution` is not of the size that belongs to `map`.
    package init(
        _ map: Image, lowResolution: Image? = nil, factor: Int = 4, pixelArea: Double? = nil, mu: Image? = nil, trimmedToMultiplesOf trim: Int = 32
    ) throws {
        untrimmedSize = (map.width, map.height)
        let trimmed = try map.trimmed(toMultiplesOf: trim)
        let low = try lowResolution?.trimmed(toMultiplesOf: max(1, trim / factor)) ?? trimmed.blockMean(by: factor)
        guard low.width * factor == trimmed.width, low.height * factor == trimmed.height else {
            throw Failure(
                .badData, "the low-resolution map does not belong to the high-resolution one",
                expected: "\(trimmed.width / factor) × \(trimmed.height / factor) pixels", found: "\(low.width) × \(low.height)")
        }
        let valid = trimmed.pixels.map(\.isFinite)
        self.valid = valid.allSatisfy(\.self) ? nil : valid
        field = self.valid == nil ? trimmed : Image(width: trimmed.width, height: trimmed.height, pixels: trimmed.pixels.map { $0.isFinite ? $0 : 0 })
        self.lowResolution = low
        (self.pixelArea, self.mu, self.trim, self.factor) = (pixelArea, mu, trim, factor)
    }

    /// An image of the same pixels with NaN where the truth holds no data.
    func masked(_ image: Image) -> Image {
        guard let valid else { return image }
        return Image(width: image.width, height: image.height, pixels: zip(image.pixels, valid).map { $1 ? $0 : .nan })
    }

    /// The number of pixels with data.
    package var validCount: Int { valid.map { mask in mask.count { $0 } } ?? field.pixels.count }

    /// The part of the pixels that is masked, 0 to 1.
    package var maskedFraction: Double { 1 - Double(validCount) / Double(field.pixels.count) }
}

/// A prediction beside its truth, on the same pixels.
package struct Comparison: Sendable {
    package let truth: Truth
    /// The prediction in Gauss, 0 where the truth is masked.
    package let prediction: Image
    /// The part of the truth's pixels, 0 to 1, for which the prediction has no finite value. They are scored as 0 G, so that leaving out pixels gains nothing.
    package let missingFraction: Double
    let perceptionMemo = Memo<Perception>()

    /// - Throws: `Failure` (`.badData`) if the prediction has neither the size of the truth nor that of the trimmed truth.
    package init(_ prediction: Image, with truth: Truth) throws {
        let sizes = [truth.untrimmedSize, (width: truth.field.width, height: truth.field.height)]
        guard sizes.contains(where: { $0 == (prediction.width, prediction.height) }) else {
            throw Failure(
                .badData, "the prediction and the truth differ in size", expected: "\(sizes[0].width) × \(sizes[0].height) pixels",
                found: "\(prediction.width) × \(prediction.height)")
        }
        var prediction = try prediction.trimmed(toMultiplesOf: truth.trim)
        var missing = 0
        for i in prediction.pixels.indices {
            if truth.valid?[i] == false {
                prediction.pixels[i] = 0
            } else if !prediction.pixels[i].isFinite {
                prediction.pixels[i] = 0
                missing += 1
            }
        }
        self.truth = truth
        self.prediction = prediction
        missingFraction = missing == 0 ? 0 : Double(missing) / Double(truth.validCount)
    }

    /// The sum of `term` over the pixels with data, in rows and then over rows, so that it is the same at any thread count.
    func sumOverValidPixels(_ term: (_ prediction: Float, _ truth: Float) -> Double) -> Double {
        let (width, height) = (prediction.width, prediction.height)
        var rows = [Double](repeating: 0, count: height)
        prediction.pixels.withUnsafeBufferPointer { predicted in
            truth.field.pixels.withUnsafeBufferPointer { expected in
                rows.withUnsafeMutableBufferPointer { rows in
                    Parallel.forEachBlock(of: height, size: 64) { block in
                        for y in block {
                            var sum = 0.0
                            for i in y * width..<(y + 1) * width where truth.valid?[i] != false { sum += term(predicted[i], expected[i]) }
                            rows[y] = sum
                        }
                    }
                }
            }
        }
        return rows.reduce(0, +)
    }
}

extension Image {
    /// The part of the image from pixel (0, 0) whose width and height are multiples of `multiple`.
    /// - Throws: `Failure` (`.badData`) if the image is smaller than that along an axis.
    package func trimmed(toMultiplesOf multiple: Int) throws -> Image {
        let (columns, rows) = (width / multiple * multiple, height / multiple * multiple)
        guard columns > 0, rows > 0 else {
            throw Failure(.badData, "the map is too small", expected: "at least \(multiple) × \(multiple) pixels", found: "\(width) × \(height)")
        }
        return cropped(x: 0, y: 0, width: columns, height: rows)
    }
}
