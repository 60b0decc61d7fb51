"""What is believed of cycles before a user has logged any; docs/cycle.md says where each number comes from."""

from typing import Final

from mien_core.rules.cycle.log import LONGEST_INTERVAL_DAYS

# A user's mean length in days: most as in Bull et al. 2019, some far from it (Harlow and Zeger 1991: a long tail).
# Weight, mean and standard deviation of two gamma distributions.
MEANS: Final = ((0.9, 29.3, 3.0), (0.1, 35.0, 15.0))
SHORTEST_MEAN: Final = 8.0
LONGEST_MEAN: Final = 160.0

# Variance of a user's lengths by their mean, log-normal; 1 would be a Poisson. 0.3 is a standard deviation of 3 days.
DISPERSION_MEDIAN: Final = 0.3
DISPERSION_LOG_SD: Final = 0.8
LEAST_DISPERSION: Final = 0.035
GREATEST_DISPERSION: Final = 2.5

# The probability that a period isn't logged, Beta distributed.
SKIP_ALPHA: Final = 1.0
SKIP_BETA: Final = 6.0
# Skips in a row that an interval is explained by, at most: seven short cycles fill the longest interval.
MOST_SKIPS: Final = 6

# The probability that an interval says nothing of the user's cycles: an illness, a journey, another bleeding logged as
# a period, or a pause in logging. Such an interval has any length.
STRAY: Final = 0.02
STRAY_DENSITY: Final = 1 / LONGEST_INTERVAL_DAYS

# Cycles change over the years (Bull et al. 2019), so those of a year ago count half, and old ones not at all.
HALF_LIFE_CYCLES: Final = 12
CYCLES_USED: Final = 36

# Days from the one after ovulation to the one before the next period: 12.4 on average, 7 to 17 for 95 % (Bull et al.
# 2019), which is a standard deviation of 2.4.
LUTEAL_MEAN: Final = 12.4
LUTEAL_SD: Final = 2.4
LUTEAL_SHORTEST: Final = 7
LUTEAL_LONGEST: Final = 17
# Ovulation comes after the bleeding: days of a cycle before it, at least.
DAYS_BEFORE_OVULATION: Final = 5
# Days before ovulation on which a conception is possible, besides its own (Wilcox et al. 1995).
FERTILE_DAYS_BEFORE: Final = 5
