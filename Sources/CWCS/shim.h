#include <wcs.h>
