/// What an instrument's pixels are and how they lie on the sky.
package struct SyntheticCamera: Sendable, Equatable {
    package enum Instrument: Sendable { case hmi, mdi }
    package var instrument: Instrument
    package var width: Int, height: Int
    /// `CDELT1` and `CDELT2`.
    package var arcsecPerPixel: Double
    /// `CROTA2` in degrees.
    package var rotation: Double
    /// The pixel of the centre of the Sun, counted from 1 (`CRPIX1`, `CRPIX2`).
    package var centre: SIMD2<Double>

    package init(_ instrument: Instrument, width: Int, height: Int, arcsecPerPixel: Double, rotation: Double, centre: SIMD2<Double>) {
        (self.instrument, self.width, self.height) = (instrument, width, height)
        (self.arcsecPerPixel, self.rotation, self.centre) = (arcsecPerPixel, rotation, centre)
    }

    /// A full disk of HMI, 4096² pixels; with a `reduction`, as many times fewer and larger pixels.
    package static func hmi(rotation: Double = 179.93, reduction: Int = 1) -> SyntheticCamera {
        full(.hmi, 4096, 0.504276, rotation, SIMD2(2040.81, 2049.37), reduction)
    }

    /// A full disk of MDI, 1024² pixels; with a `reduction`, as many times fewer and larger pixels.
    package static func mdi(rotation: Double = 0, reduction: Int = 1) -> SyntheticCamera {
        full(.mdi, 1024, 1.986008, rotation, SIMD2(512.58, 512.17), reduction)
    }

    private static func full(
        _ instrument: Instrument, _ side: Int, _ scale: Double, _ rotation: Double, _ centre: SIMD2<Double>, _ reduction: Int
    ) -> SyntheticCamera {
        let factor = Double(reduction)
        return SyntheticCamera(
            instrument, width: side / reduction, height: side / reduction, arcsecPerPixel: scale * factor, rotation: rotation,
            centre: (centre - 0.5) / factor + 0.5)
    }
}
