import Groundwork
import SolarImage

/// Cuts crops out of a map as it is, each with the low resolution that a partner of the map has for it.
struct MapCutter: CropCutter {
    /// Images of one file after the other in the same memory: fresh memory costs more than what is done with it.
    final class Memory {
        fileprivate var whole: [Image] = []
        fileprivate var parts: [Image] = []
    }

    private let map: UprightMap
    private let partner: (any LowResolutionPartner)?
    private let memory: Memory

    var geometry: MapGeometry { map.geometry }
    var width: Int { map.file.width }
    var height: Int { map.file.height }
    var isTurned: Bool { map.isTurned }

    /// - Parameter memory: not used by anyone else until the crops are made.
    init(_ map: UprightMap, partner: (any LowResolutionPartner)?, memory: Memory) {
        (self.map, self.partner, self.memory) = (map, partner, memory)
    }

    func cuts(by placement: CropPlacement) throws -> [CropCut] {
        if let cuts = try cutsFromRows(by: placement) { return cuts }
        let whole = try map.file.whole(isTurned: isTurned, reusing: &memory.whole)
        return placement.frames(in: whole.image).map { frame in
            let place = surroundings(of: frame)
            return cut(frame, at: place) { whole.part(x: place.x, y: place.y, width: place.width, height: place.height) }
        }
    }

    /// Where the disk is known, so are, as a rule, the pixels that have a value: only the rows of the crops need be read then. Nil if not.
    private func cutsFromRows(by placement: CropPlacement) throws -> [CropCut]? {
        guard !placement.needsPixels, geometry.disk != nil else { return nil }
        let frames = placement.frames(in: nil), places = frames.map(surroundings)
        guard places.reduce(0, { $0 + $1.width * $1.height }) <= width * height / 2 else { return nil }
        let parts = try map.file.parts(places.map { ($0.x, $0.y, $0.width, $0.height) }, isTurned: isTurned, reusing: &memory.parts)
        let cuts = frames.indices.map { index in cut(frames[index], at: places[index]) { parts[index] } }
        return frames.indices.allSatisfy { parts[$0].image.isMostlyKnown(frames[$0].within(places[$0])) } ? cuts : nil
    }

    /// A crop with the pixels around it that its low resolution depends on.
    private func surroundings(of frame: CropFrame) -> CropFrame {
        let margin = partner?.margin ?? 0
        let (x, y) = (max(0, frame.x - margin), max(0, frame.y - margin))
        return CropFrame(
            x: x, y: y, width: min(width, frame.x + frame.width + margin) - x, height: min(height, frame.y + frame.height + margin) - y)
    }

    /// - Parameters:
    ///   - place: of the surroundings.
    ///   - read: gives these.
    private func cut(_ frame: CropFrame, at place: CropFrame, _ read: @escaping () -> Magnetogram) -> CropCut {
        CropCut(frame: frame) {
            let surroundings = read(), inner = frame.within(place)
            let low = try partner?.lowResolution(of: surroundings, inner: inner, frame: frame)
            let crop = place == frame ? surroundings : surroundings.part(x: inner.x, y: inner.y, width: inner.width, height: inner.height)
            return (crop, low, history(of: frame))
        }
    }

    private func history(of frame: CropFrame) -> String {
        "sr \(programVersion) prepare: columns \(frame.x) to \(frame.x + frame.width - 1), rows \(frame.y) to \(frame.y + frame.height - 1) "
            + "(from 0) of \(map.file.source.lastPathComponent)\(isTurned ? " turned by 180 degrees" : ""), as 32-bit floats in Gauss; SHA-256 of "
            + "the source \(map.sha256)"
    }
}
