"""What is wrong, told once to who can mend it: findings are collected, ruled on, routed, and delivered until they arrive."""
