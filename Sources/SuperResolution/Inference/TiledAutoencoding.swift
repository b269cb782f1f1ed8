import Groundwork
import SolarImage
import TensorCore

extension Model {
    /// The latents around a tile that its values can depend on, in whole LR pixels where those span several latents. Where a norm or attention spans the
    /// whole field, so many that their share is small.
    private var halo: Int {
        guard let autoencoder else { return 0 }
        let unit = max(1, scale / factor)
        return ((autoencoder.reach ?? 16) + unit - 1) / unit * unit
    }

    /// The side of a tile for the autoencoder, in latents: where a norm or attention spans the whole field, at least the paper's 1024² pixels at f = 8.
    private func autoencodingSide(_ side: Int) -> Int { autoencoder.map { $0.reach == nil ? max(side, 128) : side } ?? side }

    /// Latents of a field that is given tile by tile, so that only latents and one tile are held.
    ///
    /// - Parameters:
    ///   - height, width: of the latents
    ///   - side: of a tile in latents
    ///   - field: the HR field under a rectangle of latents, `[1, rows·f, columns·f, 1]` in Gauss
    /// - Returns: `[1, height, width, latent channels]`; nil if cancelled
    package func encodeInTiles(height: Int, width: Int, side: Int, isCancelled: () -> Bool, field: (TileRectangle) -> Tensor) -> Tensor? {
        LatentTiles.assemble(
            height: height, width: width, size: autoencodingSide(side), halo: halo, factor: 1, channels: latentChannels,
            isCancelled: isCancelled
        ) { encode(description.normalization.normalize(field($0))) }
    }

    /// The HR fields of latents, `[batch, height·f, width·f, 1]` in Gauss, 0 where `isEmpty`; nil if cancelled.
    package func decodeInTiles(_ latents: Tensor, side: Int, isCancelled: () -> Bool, isEmpty: (TileRectangle) -> Bool) -> Tensor? {
        LatentTiles.assemble(
            batch: latents.shape[0], height: latents.shape[1], width: latents.shape[2], size: autoencodingSide(side), halo: halo, factor: factor,
            channels: 1,
            isCancelled: isCancelled
        ) { isEmpty($0) ? nil : description.normalization.denormalize(decode(latents.window($0))) }
    }

    /// What the autoencoder makes of a field: encoded and decoded.
    ///
    /// - Parameter image: HR in Gauss; both sides multiples of f
    /// - Returns: the same size, NaN where `image` is
    /// - Throws: `Failure` (`.interrupted`) if cancelled.
    package func reconstruct(_ image: Image, isCancelled: () -> Bool = { false }) throws -> Image {
        precondition(image.width % factor == 0 && image.height % factor == 0, "\(image.width) × \(image.height) is not a multiple of \(factor)")
        let field = image.tensor
        func scaled(_ range: Range<Int>) -> Range<Int> { range.lowerBound * factor..<range.upperBound * factor }
        guard
            let latents = encodeInTiles(
                height: image.height / factor, width: image.width / factor, side: 64, isCancelled: isCancelled,
                field: { field.window(TileRectangle(rows: scaled($0.rows), columns: scaled($0.columns))) }),
            let decoded = decodeInTiles(latents, side: 64, isCancelled: isCancelled, isEmpty: { _ in false })
        else { throw Failure(.interrupted, "reconstruction was interrupted") }
        var result = Image(decoded)
        result.mask(whereEmpty: image, factor: 1)
        try result.requireFinite(whereFinite: image, factor: 1, by: nil)
        return result
    }
}
